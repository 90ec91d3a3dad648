/**
 * Layers that are read while they are used: what is fetched of them and when, where it is kept, and that it is what the table of
 * contents promised. Imports {@code stargz.index}, {@code stargz.erofs}, {@code stargz.fuse}'s {@code FileData}, {@code estargz}, {@code registry} and
 * {@code sdk}.
 */
@NullMarked
package dev.longshore.stargz.layer;

import org.jspecify.annotations.NullMarked;
