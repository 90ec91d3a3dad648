/** What travels beside the arguments of a call: namespace, lease, deadline. Imports {@code sdk.errors} and {@code sdk.namespace}. */
@NullMarked
package dev.longshore.sdk.context;

import org.jspecify.annotations.NullMarked;
