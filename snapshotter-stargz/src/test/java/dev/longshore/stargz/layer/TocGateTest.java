package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.estargz.EntryType;
import dev.longshore.estargz.TocEntry;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.DeadlineExceededException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class TocGateTest {

    private static final TocEntry LARGE = new TocEntry(
            "name",
            EntryType.REG,
            0,
            Instant.EPOCH,
            "",
            0,
            0,
            0,
            "",
            "",
            0,
            0,
            Map.of("user.a", new byte[9 << 20]),
            Optional.empty(),
            0,
            0,
            0,
            0,
            Optional.empty());

    private final TocGate gate = new TocGate();

    private static Deadline in(long millis) {
        return Deadline.after(Duration.ofMillis(millis));
    }

    @Test
    void onlyOneTableAtATimeIsLarge() throws Exception {
        TocGate.Place first = gate.enter(in(10_000));
        TocGate.Place second = gate.enter(in(50));
        first.count(LARGE);
        assertThatThrownBy(() -> second.count(LARGE)).isInstanceOf(DeadlineExceededException.class);
        second.close();
        TocGate.Place third = gate.enter(in(30_000));
        CompletableFuture<Void> waiting = CompletableFuture.runAsync(() -> third.count(LARGE));
        assertThat(waiting).isNotDone();
        first.close();
        waiting.get(30, TimeUnit.SECONDS);
        third.close();
    }

    @Test
    void fewTablesAreReadAtATime() throws Exception {
        for (int i = 0; i < 4; i++) {
            gate.enter(in(10_000));
        }
        assertThatThrownBy(() -> gate.enter(in(10))).isInstanceOf(DeadlineExceededException.class);
    }
}
