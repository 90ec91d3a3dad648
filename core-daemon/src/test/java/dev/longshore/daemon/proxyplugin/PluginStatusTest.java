package dev.longshore.daemon.proxyplugin;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.daemon.proxyplugin.PluginHealth.State;
import dev.longshore.daemon.proxyplugin.PluginStatus.Doubt;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.UnavailableException;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PluginStatusTest {

    private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

    private final List<String> changes = new ArrayList<>();
    private Instant now = START;
    private final PluginStatus status = new PluginStatus(
            new Clock() {
                @Override
                public Instant instant() {
                    return now;
                }

                @Override
                public ZoneOffset getZone() {
                    return ZoneOffset.UTC;
                }

                @Override
                public Clock withZone(java.time.ZoneId zone) {
                    return this;
                }
            },
            new UnavailableException("nobody knows"),
            (before, after) -> changes.add(before.state() + ">" + after.state()));

    private static UnavailableException away(String why) {
        return new UnavailableException(why);
    }

    @Test
    void itStartsWithoutAnErrorOfThePast() {
        assertThat(status.health().state()).isEqualTo(State.STARTING);
        assertThat(status.health().problem()).isPresent();
        assertThat(status.health().lastError()).isEmpty();
    }

    @Test
    void eachChangeIsToldOnceWithTheTimeThatItBegan() {
        now = START.plusSeconds(1);
        status.reached();
        now = START.plusSeconds(2);
        status.reached();
        assertThat(status.health().since()).isEqualTo(START.plusSeconds(1));
        status.unreachable(away("gone"));
        now = START.plusSeconds(3);
        status.unreachable(away("still gone"));
        assertThat(status.health().since()).isEqualTo(START.plusSeconds(2));
        assertThat(status.health().problem())
                .get()
                .extracting(Throwable::getMessage)
                .isEqualTo("still gone");
        assertThat(changes).containsExactly("STARTING>READY", "READY>UNREACHABLE");
    }

    @Test
    void theLastErrorIsRememberedWhenAllIsWell() {
        status.unreachable(away("gone"));
        now = START.plusSeconds(5);
        status.reached();
        assertThat(status.health().problem()).isEmpty();
        assertThat(status.health().lastError()).contains(new PluginHealth.LastError(START, "gone"));
    }

    @Test
    void doubtsDegradeWhatAnswersAndTheWorstIsShown() {
        status.reached();
        status.doubt(Doubt.LOSS, Optional.of(new DataLossException("a is gone")));
        status.doubt(Doubt.CALLS, Optional.of(away("no answers")));
        assertThat(status.health().state()).isEqualTo(State.DEGRADED);
        assertThat(status.health().problem())
                .get()
                .extracting(Throwable::getMessage)
                .isEqualTo("no answers");
        status.doubt(Doubt.CALLS, Optional.empty());
        assertThat(status.health().problem())
                .get()
                .extracting(Throwable::getMessage)
                .isEqualTo("a is gone");
        status.doubt(Doubt.LOSS, Optional.empty());
        assertThat(status.health().state()).isEqualTo(State.READY);
        assertThat(changes).containsExactly("STARTING>READY", "READY>DEGRADED", "DEGRADED>READY");
    }

    @Test
    void whatIsLostIsNotFoundAgainByARestart() {
        status.reached();
        status.doubt(Doubt.LOSS, Optional.of(new DataLossException("a is gone")));
        status.unreachable(away("restarting"));
        assertThat(status.health().state()).isEqualTo(State.UNREACHABLE);
        status.reached();
        assertThat(status.health().state()).isEqualTo(State.DEGRADED);
    }
}
