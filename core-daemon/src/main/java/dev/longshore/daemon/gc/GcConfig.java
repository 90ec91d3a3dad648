package dev.longshore.daemon.gc;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.time.Duration;

/**
 * When garbage is collected; the keys of {@code plugins."io.containerd.gc.v1.scheduler"}.
 *
 * @param pauseThreshold the part of the time that collections may take, 0 to 0.5
 * @param deletionThreshold deletions after which a collection is due; 0 for none
 * @param mutationThreshold writes after which a collection is due if something was deleted among them
 * @param scheduleDelay from a collection being due to its start
 * @param startupDelay from the start of the daemon to the first collection
 */
public record GcConfig(
        double pauseThreshold,
        int deletionThreshold,
        int mutationThreshold,
        Duration scheduleDelay,
        Duration startupDelay) {

    /** containerd's. */
    public static final GcConfig DEFAULT = new GcConfig(0.02, 0, 100, Duration.ZERO, Duration.ofMillis(100));

    public GcConfig {
        if (pauseThreshold <= 0 || pauseThreshold > 0.5) {
            throw new InvalidArgumentException(
                    "pause_threshold %s must be above 0 and at most 0.5".formatted(pauseThreshold));
        }
    }
}
