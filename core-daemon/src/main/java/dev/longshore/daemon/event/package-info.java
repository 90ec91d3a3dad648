/** The exchange of events. Imports {@code sdk.event}, {@code sdk.filter} and the values in them. */
@NullMarked
package dev.longshore.daemon.event;

import org.jspecify.annotations.NullMarked;
