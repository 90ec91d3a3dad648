package dev.longshore.daemon.runtime;

import dev.longshore.sdk.typeurl.TypedValue;
import java.time.Instant;
import java.util.Optional;

/** What a task used, as its shim counts it. */
public record TaskMetric(String id, Instant timestamp, Optional<TypedValue> data) {}
