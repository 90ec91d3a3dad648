/** Values whose type is named beside them. Imports nothing of ours. */
@NullMarked
package dev.longshore.sdk.typeurl;

import org.jspecify.annotations.NullMarked;
