/** The connection to a daemon. Imports {@code transport.grpc}, {@code sdk.*} and the API's stubs. */
@NullMarked
package dev.longshore.cli.daemon;

import org.jspecify.annotations.NullMarked;
