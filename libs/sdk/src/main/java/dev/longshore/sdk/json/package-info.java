/** JSON documents of others, read with limits. Imports {@code sdk.errors}. */
@NullMarked
package dev.longshore.sdk.json;

import org.jspecify.annotations.NullMarked;
