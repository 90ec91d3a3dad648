/**
 * containerd's filters: what clients select objects with. Imports {@code sdk.errors}, and the values that it knows the
 * fields of.
 */
@NullMarked
package dev.longshore.sdk.filter;

import org.jspecify.annotations.NullMarked;
