/**
 * An IPFS node of Kubo's, as a store of blocks. Imports {@code ipfs}, {@code sdk.context}, {@code sdk.errors} and {@code sdk.json}.
 *
 * @see <a href="https://docs.ipfs.tech/reference/kubo/rpc/">Kubo's RPC API</a>
 */
@NullMarked
package dev.longshore.content.ipfs.kubo;

import org.jspecify.annotations.NullMarked;
