/** Connections to plugins: late binding, health, deadlines, bounds. Imports {@code transport} and {@code daemon.plugin}. */
@NullMarked
package dev.longshore.daemon.proxyplugin;

import org.jspecify.annotations.NullMarked;
