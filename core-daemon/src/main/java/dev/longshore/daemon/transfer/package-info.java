/**
 * Moves images between registries, archives and the stores of the daemon, and unpacks them. Nothing here knows the wire: streams of
 * clients come as Java's, progress goes to a sink.
 */
@NullMarked
package dev.longshore.daemon.transfer;

import org.jspecify.annotations.NullMarked;
