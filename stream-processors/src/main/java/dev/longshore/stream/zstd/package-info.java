/** The program {@code longshore-stream-zstd}. Imports {@code sdk.compress}. */
@NullMarked
package dev.longshore.stream.zstd;

import org.jspecify.annotations.NullMarked;
