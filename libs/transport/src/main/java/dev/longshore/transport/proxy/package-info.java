/** The client side of each contract: what a plugin serves looks like a local object. Imports {@code transport.grpc}, {@code api} and {@code sdk}. */
@NullMarked
package dev.longshore.transport.proxy;

import org.jspecify.annotations.NullMarked;
