/** The program {@code longshore-stream-gzip}. Imports {@code sdk.compress}. */
@NullMarked
package dev.longshore.stream.gzip;

import org.jspecify.annotations.NullMarked;
