/** Files that survive a crash. Imports nothing of ours. */
@NullMarked
package dev.longshore.sdk.file;

import org.jspecify.annotations.NullMarked;
