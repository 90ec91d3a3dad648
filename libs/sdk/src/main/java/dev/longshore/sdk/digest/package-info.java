/** Content digests. Imports {@code sdk.errors} only. */
@NullMarked
package dev.longshore.sdk.digest;

import org.jspecify.annotations.NullMarked;
