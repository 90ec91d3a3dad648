/** The serving side of each contract, for the daemon and for plugins alike. Imports {@code transport.grpc}, {@code api} and {@code sdk}. */
@NullMarked
package dev.longshore.transport.serve;

import org.jspecify.annotations.NullMarked;
