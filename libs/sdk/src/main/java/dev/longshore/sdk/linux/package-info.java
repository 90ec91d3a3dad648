/** The Linux calls that the JDK lacks, through JNA. The only package that may import {@code com.sun.jna}. */
@NullMarked
package dev.longshore.sdk.linux;

import org.jspecify.annotations.NullMarked;
