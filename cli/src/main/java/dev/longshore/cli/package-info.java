/**
 * The client for a person: commands, tables, errors that say what to do. Imports {@code cli.image}, {@code cli.run},
 * {@code transport.grpc} and the API's stubs.
 */
@NullMarked
package dev.longshore.cli;

import org.jspecify.annotations.NullMarked;
