package dev.longshore.daemon.proxyplugin;

import dev.longshore.sdk.errors.ContainerdException;
import java.time.Instant;
import java.util.Optional;

/**
 * What is known of a plugin.
 *
 * @param since when it came to be so
 * @param problem what is wrong with it now; empty while nothing is
 * @param lastError what was wrong with it last, also when it is well again
 */
public record PluginHealth(
        State state, Instant since, Optional<ContainerdException> problem, Optional<LastError> lastError) {

    /** Whether a plugin can be used. */
    public enum State {
        /** It has not answered yet, and may be starting. */
        STARTING,
        /** It answers. */
        READY,
        /** It answers, and is used, but not all is well: the problem says what. */
        DEGRADED,
        /** Nobody listens at its address, or what does says that it does not serve, or does not answer. */
        UNREACHABLE;

        /** Whether calls are made of it. */
        public boolean isUsable() {
            return this == READY || this == DEGRADED;
        }
    }

    /** Something that was wrong, and when that was found out. */
    public record LastError(Instant time, String message) {}
}
