/**
 * A layer's table of contents in the form in which it is served: packed, checked, in a mapped file. Imports {@code estargz}
 * and {@code sdk}.
 */
@NullMarked
package dev.longshore.stargz.index;

import org.jspecify.annotations.NullMarked;
