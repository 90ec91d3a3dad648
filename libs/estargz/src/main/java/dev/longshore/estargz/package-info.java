/**
 * Layers that can be read a chunk at a time: eStargz, plain stargz and zstd:chunked. Their footers, tables of contents and
 * chunks, read and written. Imports {@code sdk.compress}, {@code sdk.digest}, {@code sdk.json}, {@code sdk.tar} and {@code sdk.errors}.
 *
 * @see <a href="https://github.com/containerd/stargz-snapshotter/blob/main/docs/estargz.md">the format of eStargz</a>
 */
@NullMarked
package dev.longshore.estargz;

import org.jspecify.annotations.NullMarked;
