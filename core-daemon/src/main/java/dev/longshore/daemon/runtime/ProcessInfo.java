package dev.longshore.daemon.runtime;

import dev.longshore.sdk.typeurl.TypedValue;
import java.util.Optional;

/** A process in a container, whoever started it. */
public record ProcessInfo(int pid, Optional<TypedValue> info) {}
