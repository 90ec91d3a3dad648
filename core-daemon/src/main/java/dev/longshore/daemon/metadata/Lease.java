package dev.longshore.daemon.metadata;

import java.time.Instant;
import java.util.Map;

/** Keeps resources from the garbage collector, until it is deleted or its label {@code containerd.io/gc.expire} passes. */
public record Lease(String id, Instant created, Map<String, String> labels) {

    public Lease {
        labels = Map.copyOf(labels);
    }
}
