/** The content store contract. Imports {@code sdk.context}, {@code sdk.digest} and {@code sdk.errors}. */
@NullMarked
package dev.longshore.sdk.content;

import org.jspecify.annotations.NullMarked;
