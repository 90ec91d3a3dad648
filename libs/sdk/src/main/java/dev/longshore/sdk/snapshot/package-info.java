/** The snapshotter contract. Imports {@code sdk.context}, {@code sdk.errors} and {@code sdk.mount}. */
@NullMarked
package dev.longshore.sdk.snapshot;

import org.jspecify.annotations.NullMarked;
