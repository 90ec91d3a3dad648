/**
 * The daemon's gRPC and ttrpc services: protobuf to records and back, and the events that containerd's daemon publishes. What is
 * done is done elsewhere.
 */
@NullMarked
package dev.longshore.daemon.service;

import org.jspecify.annotations.NullMarked;
