/** Events and their topics. Imports {@code sdk.namespace} and {@code sdk.typeurl}. */
@NullMarked
package dev.longshore.sdk.event;

import org.jspecify.annotations.NullMarked;
