/** The program around {@code snapshots}. Imports that, {@code sdk} and {@code transport}. */
@NullMarked
package dev.longshore.overlay;

import org.jspecify.annotations.NullMarked;
