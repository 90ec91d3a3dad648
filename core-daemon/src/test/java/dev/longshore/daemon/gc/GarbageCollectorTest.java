package dev.longshore.daemon.gc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.longshore.daemon.gc.GarbageCollector.Backend;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnavailableException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** When garbage is collected, and who waits for it. */
final class GarbageCollectorTest {

    private static final Duration NEVER = Duration.ofDays(1);
    private static final GcConfig PROMPT = new GcConfig(0.5, 0, 5, Duration.ZERO, Duration.ZERO);

    private final CallContext context = CallContext.withoutNamespace(Duration.ofSeconds(30));
    private final AtomicInteger sweeps = new AtomicInteger();
    private final AtomicInteger rounds = new AtomicInteger();
    private final Backend backend = new Backend("b", ignored -> rounds.incrementAndGet());

    private GarbageCollector start(GcConfig config, Backend... backends) {
        GarbageCollector collector = new GarbageCollector(config, sweeps::incrementAndGet, () -> List.of(backends));
        collector.start();
        return collector;
    }

    @Test
    void whoAsksForACollectionWaitsForItAtAllBackends() {
        GcConfig config = new GcConfig(0.001, 0, 0, NEVER, NEVER);
        AtomicInteger other = new AtomicInteger();
        try (GarbageCollector collector =
                start(config, backend, new Backend("o", ignored -> other.incrementAndGet()))) {
            for (int i = 1; i <= 3; i++) {
                collector.collect(context);
                assertThat(sweeps.get())
                        .as("neither start-up delay nor pause is waited for")
                        .isEqualTo(i);
                assertThat(rounds.get()).isEqualTo(i);
                assertThat(other.get()).isEqualTo(i);
            }
        }
    }

    @Test
    void aCollectionIsDueAfterADeletionAndSoManyWrites() {
        try (GarbageCollector collector = start(PROMPT, backend)) {
            await().until(() -> sweeps.get() == 1); // at the start
            await().until(() -> rounds.get() == 1);
            for (int i = 0; i < 20; i++) {
                collector.written(false);
            }
            collector.collect(context); // the order of events is known after it
            assertThat(sweeps.get()).as("writes alone do not count").isEqualTo(2);
            collector.written(true);
            for (int i = 0; i < 4; i++) {
                collector.written(false);
            }
            await().until(() -> sweeps.get() == 3);
        }
    }

    @Test
    void aCollectionIsDueAfterSoManyDeletions() {
        try (GarbageCollector collector = start(new GcConfig(0.5, 2, 1000, Duration.ZERO, Duration.ZERO), backend)) {
            collector.collect(context);
            int before = sweeps.get();
            collector.written(true);
            collector.written(true);
            await().until(() -> sweeps.get() > before);
        }
    }

    @Test
    void aSweepThatFailsIsToldToWhoWaitsAndTriedAgain() {
        AtomicBoolean full = new AtomicBoolean(true);
        Runnable sweep = () -> {
            if (full.getAndSet(false)) {
                throw new IllegalStateException("disk is full");
            }
        };
        GcConfig config = new GcConfig(0.5, 0, 0, Duration.ZERO, NEVER);
        try (GarbageCollector collector = new GarbageCollector(config, sweep, () -> List.of(backend))) {
            collector.start();
            assertThatThrownBy(() -> collector.collect(context))
                    .isInstanceOf(InternalException.class)
                    .hasMessageContaining("disk is full");
            assertThat(rounds.get()).as("backends are left alone").isZero();
            collector.collect(context);
            assertThat(rounds.get()).isEqualTo(1);
        }
    }

    @Test
    void aBackendThatIsAwayKeepsNobody() {
        AtomicInteger tried = new AtomicInteger();
        Backend away = new Backend("away", ignored -> {
            tried.incrementAndGet();
            throw new UnavailableException("away");
        });
        try (GarbageCollector collector = start(new GcConfig(0.5, 0, 0, Duration.ZERO, NEVER), away, backend)) {
            collector.collect(context);
            collector.collect(context);
            assertThat(tried.get()).isEqualTo(2);
            assertThat(rounds.get()).isEqualTo(2);
        }
    }

    @Test
    void aBackendThatHangsIsLeftAloneUntilItAnswers() throws Exception {
        CountDownLatch answer = new CountDownLatch(1);
        CountDownLatch hangs = new CountDownLatch(1);
        AtomicInteger calls = new AtomicInteger();
        Backend hanging = new Backend("hanging", ignored -> {
            calls.incrementAndGet();
            hangs.countDown();
            try {
                answer.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return 0;
        });
        try (GarbageCollector collector = start(PROMPT, hanging, backend)) {
            hangs.await(); // in the collection at the start, which waits for nobody
            collector.collect(context);
            collector.collect(context);
            assertThat(calls.get()).isEqualTo(1);
            assertThat(rounds.get()).isGreaterThanOrEqualTo(2);
            answer.countDown();
            await().until(() -> {
                collector.collect(context);
                return calls.get() > 1;
            });
        }
    }

    @Test
    void whoWaitsIsToldWhenItsTimeIsUp() throws Exception {
        CountDownLatch end = new CountDownLatch(1);
        GcConfig config = new GcConfig(0.5, 0, 0, Duration.ZERO, NEVER);
        Runnable slow = () -> {
            try {
                end.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
        try (GarbageCollector collector = new GarbageCollector(config, slow, List::of)) {
            collector.start();
            assertThatThrownBy(() -> collector.collect(CallContext.withoutNamespace(Duration.ofMillis(50))))
                    .isInstanceOf(DeadlineExceededException.class);
            end.countDown();
        }
    }

    @Test
    void oneThatWasNeverStartedIsClosed() {
        new GarbageCollector(PROMPT, sweeps::incrementAndGet, () -> List.of(backend)).close();
        assertThat(sweeps.get()).isZero();
    }

    @Test
    void nothingIsCollectedAnyMoreOnceItIsClosed() {
        GarbageCollector waiting = start(new GcConfig(0.5, 0, 0, Duration.ZERO, NEVER), backend);
        waiting.close();
        assertThat(sweeps.get()).isZero();
        AtomicInteger ended = new AtomicInteger();
        CountDownLatch entered = new CountDownLatch(1);
        Backend slow = new Backend("slow", ignored -> {
            entered.countDown();
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                return ended.incrementAndGet();
            }
            return 0;
        });
        GarbageCollector collecting = start(PROMPT, slow);
        await().until(() -> entered.getCount() == 0);
        collecting.close();
        assertThat(ended.get()).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, -1, 0.51, 2})
    void aPartOfTheTimeThatIsNoneIsRefused(double threshold) {
        assertThatThrownBy(() -> new GcConfig(threshold, 0, 0, Duration.ZERO, Duration.ZERO))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("pause_threshold");
    }
}
