/**
 * ttrpc, the protocol between the daemon and its shims: protobuf messages in small frames over a unix socket. Uses the JDK's
 * sockets only. Imports {@code api}, {@code sdk.context} and {@code sdk.errors}.
 *
 * @see <a href="https://github.com/containerd/ttrpc/blob/main/PROTOCOL.md">the protocol</a>
 */
@NullMarked
package dev.longshore.ttrpc;

import org.jspecify.annotations.NullMarked;
