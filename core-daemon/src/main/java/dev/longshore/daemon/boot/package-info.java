/** The daemon's start: command line, configuration, wiring. Imports every other package of the daemon. */
@NullMarked
package dev.longshore.daemon.boot;

import org.jspecify.annotations.NullMarked;
