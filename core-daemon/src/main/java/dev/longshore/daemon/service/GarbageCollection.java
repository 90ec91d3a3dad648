package dev.longshore.daemon.service;

import dev.longshore.sdk.context.CallContext;

/** Waits until what a deletion left behind is collected, for requests with {@code sync}. */
@FunctionalInterface
public interface GarbageCollection {

    void collect(CallContext context);
}
