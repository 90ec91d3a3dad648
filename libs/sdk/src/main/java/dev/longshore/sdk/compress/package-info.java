/** The compressions of layers. Imports nothing of ours. */
@NullMarked
package dev.longshore.sdk.compress;

import org.jspecify.annotations.NullMarked;
