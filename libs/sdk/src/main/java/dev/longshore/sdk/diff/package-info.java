/** The contracts of appliers and comparers, which turn layers into files and back. Imports {@code sdk.context}, {@code sdk.mount}, {@code sdk.oci} and {@code sdk.typeurl}. */
@NullMarked
package dev.longshore.sdk.diff;

import org.jspecify.annotations.NullMarked;
