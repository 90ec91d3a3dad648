/** Mounts as snapshotters describe them, and making them. Imports {@code sdk.errors} and {@code sdk.linux}. */
@NullMarked
package dev.longshore.sdk.mount;

import org.jspecify.annotations.NullMarked;
