/** The limits on labels. Imports {@code sdk.errors} only. */
@NullMarked
package dev.longshore.sdk.label;

import org.jspecify.annotations.NullMarked;
