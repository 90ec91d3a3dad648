package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FetchersTest {

    private final Fetchers fetchers = new Fetchers();
    private final CountDownLatch answer = new CountDownLatch(1);

    @AfterEach
    void close() {
        answer.countDown();
        fetchers.close();
    }

    private void awaitAnswer() {
        try {
            answer.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void awaitAll(CountDownLatch latch) throws InterruptedException {
        assertThat(latch.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void aRegistryThatDoesNotAnswerTakesNoThreadFromAnother() throws InterruptedException {
        for (int i = 0; i < 5 * Fetchers.EACH; i++) {
            fetchers.to("silent.example").execute(this::awaitAnswer);
        }
        CountDownLatch fetched = new CountDownLatch(3 * Fetchers.EACH);
        for (int i = 0; i < 3 * Fetchers.EACH; i++) {
            fetchers.to("good.example").execute(fetched::countDown);
        }
        awaitAll(fetched);
    }

    @Test
    void whatWaitsForARegistryIsFetchedAfterwardsAndNoMoreAtATimeThanItMay() throws InterruptedException {
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch began = new CountDownLatch(Fetchers.EACH);
        CountDownLatch ended = new CountDownLatch(3 * Fetchers.EACH);
        for (int i = 0; i < 3 * Fetchers.EACH; i++) {
            fetchers.to("registry.example").execute(() -> {
                most.accumulateAndGet(now.incrementAndGet(), Math::max);
                began.countDown();
                awaitAnswer();
                now.decrementAndGet();
                ended.countDown();
            });
        }
        awaitAll(began);
        answer.countDown();
        awaitAll(ended);
        assertThat(most).hasValue(Fetchers.EACH);
    }

    @Test
    void aRequestThatFailsGivesItsThreadBack() throws InterruptedException {
        // What becomes of an error that nobody catches is told on standard error: eight times here.
        for (int i = 0; i < Fetchers.EACH; i++) {
            fetchers.to("registry.example").execute(() -> {
                throw new IllegalStateException("on purpose, by a test");
            });
        }
        CountDownLatch fetched = new CountDownLatch(1);
        fetchers.to("registry.example").execute(fetched::countDown);
        awaitAll(fetched);
    }

    @Test
    void nothingIsFetchedAfterTheEnd() {
        fetchers.close();
        for (int i = 0; i < 2 * Fetchers.EACH; i++) {
            assertThatThrownBy(() -> fetchers.to("registry.example").execute(this::awaitAnswer))
                    .isInstanceOf(RejectedExecutionException.class);
        }
    }
}
