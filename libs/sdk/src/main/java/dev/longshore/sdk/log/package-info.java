/** The set-up of logging. Imports nothing of ours. */
@NullMarked
package dev.longshore.sdk.log;

import org.jspecify.annotations.NullMarked;
