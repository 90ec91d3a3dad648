/**
 * A complete layer as an EROFS image: the kernel serves it without a program. Imports {@code sdk}, {@code stargz.index} and {@code
 * stargz.fuse} for files' contents.
 */
@NullMarked
package dev.longshore.stargz.erofs;

import org.jspecify.annotations.NullMarked;
