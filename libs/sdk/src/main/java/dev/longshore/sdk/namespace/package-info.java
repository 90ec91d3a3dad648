/** Namespaces and the identifier rule. Imports {@code sdk.errors} only. */
@NullMarked
package dev.longshore.sdk.namespace;

import org.jspecify.annotations.NullMarked;
