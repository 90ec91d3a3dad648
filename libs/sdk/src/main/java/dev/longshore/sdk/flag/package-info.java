/** Command line flags of the programs that must start fast. Imports nothing of ours. */
@NullMarked
package dev.longshore.sdk.flag;

import org.jspecify.annotations.NullMarked;
