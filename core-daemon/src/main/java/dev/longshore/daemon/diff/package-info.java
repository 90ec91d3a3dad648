/**
 * Layers to files and back. A layer is hostile until it is written: no name in it leads out of the root it is written to.
 * Imports {@code sdk} only.
 */
@NullMarked
package dev.longshore.daemon.diff;

import org.jspecify.annotations.NullMarked;
