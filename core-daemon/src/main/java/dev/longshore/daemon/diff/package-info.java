/**
 * Layers to files and back. A layer is hostile until it is written: no name in it leads out of the root it is written to.
 * Imports {@code sdk}, and {@code metadata} for the leases of what is temporary.
 */
@NullMarked
package dev.longshore.daemon.diff;

import org.jspecify.annotations.NullMarked;
