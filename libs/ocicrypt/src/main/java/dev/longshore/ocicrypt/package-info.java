/**
 * Encrypted layers as ocicrypt has them: the cipher of a layer, and the wrapping of its key for those who may read it. Imports
 * {@code sdk.errors}, {@code sdk.json}, {@code sdk.digest} and {@code sdk.linux}. BouncyCastle is loaded when PGP is met, and not before.
 *
 * @see <a href="https://github.com/containers/ocicrypt/blob/main/docs/keyprovider.md">ocicrypt</a>
 */
@NullMarked
package dev.longshore.ocicrypt;

import org.jspecify.annotations.NullMarked;
