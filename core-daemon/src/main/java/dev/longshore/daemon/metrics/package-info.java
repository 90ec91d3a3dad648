/** The daemon's measurements, and the address on which Prometheus fetches them. Imports {@code sdk} and Micrometer. */
@NullMarked
package dev.longshore.daemon.metrics;

import org.jspecify.annotations.NullMarked;
