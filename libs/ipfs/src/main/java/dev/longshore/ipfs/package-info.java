/**
 * Files as IPFS keeps them: CIDs, dag-pb, UnixFS; blocks and where they come from; files cut into blocks as Kubo does, and read from
 * them at any offset. Imports {@code sdk.context}, {@code sdk.digest} and {@code sdk.errors}.
 *
 * @see <a href="https://specs.ipfs.tech/unixfs/">UnixFS</a>
 * @see <a href="https://ipld.io/specs/codecs/dag-pb/spec/">dag-pb</a>
 */
@NullMarked
package dev.longshore.ipfs;

import org.jspecify.annotations.NullMarked;
