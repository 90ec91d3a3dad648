package dev.longshore.daemon.proxyplugin;

import dev.longshore.daemon.proxyplugin.PluginHealth.LastError;
import dev.longshore.daemon.proxyplugin.PluginHealth.State;
import dev.longshore.sdk.errors.ContainerdException;
import java.time.Clock;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;

/**
 * Makes one state of all that is found out about a plugin: whether it answers, which its probe says, and what casts doubt on
 * it although it does. Each change is told once, in order.
 */
final class PluginStatus {

    /** What may be wrong with a plugin that answers, the worst first. */
    enum Doubt {
        /** The last question whether it is well was not answered, which may be a machine under load. */
        SILENCE,
        /** It answers that question, but not its calls. */
        CALLS,
        /** It no longer has what it was given. */
        LOSS
    }

    private final Clock clock;
    private final BiConsumer<PluginHealth, PluginHealth> listener;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Doubt, ContainerdException> doubts = new EnumMap<>(Doubt.class);
    private State reach = State.STARTING;
    private Optional<ContainerdException> obstacle;
    private volatile PluginHealth health;

    /**
     * @param unknown why it cannot be used before anything is known
     * @param listener told of the state before and after; must not block
     */
    PluginStatus(Clock clock, ContainerdException unknown, BiConsumer<PluginHealth, PluginHealth> listener) {
        this.clock = clock;
        this.listener = listener;
        this.obstacle = Optional.of(unknown);
        this.health = new PluginHealth(State.STARTING, clock.instant(), obstacle, Optional.empty());
    }

    PluginHealth health() {
        return health;
    }

    /** Begins anew, for a plugin that is configured otherwise than before. */
    void restart(ContainerdException unknown) {
        update(() -> {
            reach = State.STARTING;
            obstacle = Optional.of(unknown);
            doubts.clear();
        });
    }

    void reached() {
        update(() -> {
            reach = State.READY;
            obstacle = Optional.empty();
            doubts.remove(Doubt.SILENCE);
        });
    }

    void unreachable(ContainerdException why) {
        update(() -> {
            reach = State.UNREACHABLE;
            obstacle = Optional.of(why);
            doubts.remove(Doubt.SILENCE);
            doubts.remove(Doubt.CALLS);
        });
    }

    /** Sets or, with nothing, clears a doubt. */
    void doubt(Doubt doubt, Optional<ContainerdException> problem) {
        update(() -> problem.ifPresentOrElse(why -> doubts.put(doubt, why), () -> doubts.remove(doubt)));
    }

    private void update(Runnable change) {
        lock.lock();
        try {
            change.run();
            PluginHealth before = health;
            Optional<ContainerdException> problem =
                    obstacle.or(() -> doubts.values().stream().findFirst());
            State state = reach == State.READY && !doubts.isEmpty() ? State.DEGRADED : reach;
            Optional<LastError> lastError = problem.filter(_ -> state != State.STARTING)
                    .map(why -> new LastError(clock.instant(), String.valueOf(why.getMessage())))
                    .or(before::lastError);
            health = new PluginHealth(
                    state, state == before.state() ? before.since() : clock.instant(), problem, lastError);
            if (state != before.state()) {
                listener.accept(before, health);
            }
        } finally {
            lock.unlock();
        }
    }
}
