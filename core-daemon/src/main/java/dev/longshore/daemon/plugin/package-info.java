/** The table of the daemon's plugins, built in and proxied, with their state. Imports {@code sdk} only. */
@NullMarked
package dev.longshore.daemon.plugin;

import org.jspecify.annotations.NullMarked;
