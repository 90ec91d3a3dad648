/**
 * Shims, their bundles, and the tasks in them: containerd's runtime v2.
 *
 * <p>{@link dev.longshore.daemon.runtime.TaskRuntime} keeps the tasks. Each has a {@link
 * dev.longshore.daemon.runtime.Bundle} on disk, and a shim, which {@link dev.longshore.daemon.runtime.ShimStarter} starts
 * and {@link dev.longshore.daemon.runtime.ShimClient} calls. Imports the wire API, {@code sdk} and {@code ttrpc}; knows
 * nothing of gRPC, of the metadata store, or of runc.
 */
@NullMarked
package dev.longshore.daemon.runtime;

import org.jspecify.annotations.NullMarked;
