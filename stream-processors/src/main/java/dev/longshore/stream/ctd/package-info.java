/** The program {@code ctd-decoder}. Imports {@code ocicrypt}, {@code sdk.flag}, {@code sdk.json} and {@code sdk.errors}. */
@NullMarked
package dev.longshore.stream.ctd;

import org.jspecify.annotations.NullMarked;
