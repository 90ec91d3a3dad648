/** Where a program puts what it measures, and where that is read. Imports {@code sdk.errors}, micrometer and the JDK's HTTP server. */
@NullMarked
package dev.longshore.transport.metrics;

import org.jspecify.annotations.NullMarked;
