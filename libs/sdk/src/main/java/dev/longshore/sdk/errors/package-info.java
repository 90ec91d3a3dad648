/** The closed list of error classes, as containerd's errdefs has them. Imports nothing of ours. */
@NullMarked
package dev.longshore.sdk.errors;

import org.jspecify.annotations.NullMarked;
