package dev.longshore.daemon.proxyplugin;

import dev.longshore.sdk.errors.ContainerdException;
import java.time.Instant;
import java.util.Optional;

/**
 * What is known of a plugin.
 *
 * @param since when it came to be so
 * @param problem why it cannot be used; empty while it can
 */
public record PluginHealth(State state, Instant since, Optional<ContainerdException> problem) {

    /** Whether a plugin answers. */
    public enum State {
        /** Nobody has asked it yet. */
        UNKNOWN,
        /** It answers. */
        SERVING,
        /** Nobody listens on its socket, or what does says that it does not serve. */
        AWAY,
        /** It takes connections and does not answer. */
        HUNG
    }
}
