/** gRPC over unix sockets: servers, channels, call contexts, the mapping of errors, metrics. Imports gRPC, Netty and {@code sdk}. */
@NullMarked
package dev.longshore.transport.grpc;

import org.jspecify.annotations.NullMarked;
