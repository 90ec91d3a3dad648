package dev.longshore.daemon.proxyplugin;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class CircuitBreakerTest {

    private final AtomicLong now = new AtomicLong();
    private final CircuitBreaker breaker = new CircuitBreaker(now::get);

    private void open() {
        for (int i = 1; i < CircuitBreaker.FAILURES; i++) {
            assertThat(breaker.admits()).isTrue();
            assertThat(breaker.failed()).isFalse();
        }
        assertThat(breaker.admits()).isTrue();
        assertThat(breaker.failed()).isTrue();
    }

    private void pause() {
        now.addAndGet(CircuitBreaker.PAUSE.toNanos());
    }

    @Test
    void anAnswerInBetweenKeepsItClosed() {
        for (int i = 0; i < 10; i++) {
            assertThat(breaker.admits()).isTrue();
            breaker.failed();
            assertThat(breaker.admits()).isTrue();
            breaker.answered();
        }
        assertThat(breaker.admits()).isTrue();
    }

    @Test
    void failuresInARowKeepCallsAway() {
        open();
        assertThat(breaker.admits()).isFalse();
    }

    @Test
    void oneCallAtATimeTriesWhetherItAnswersAgain() {
        open();
        pause();
        assertThat(breaker.admits()).isTrue();
        assertThat(breaker.admits()).isFalse();
        breaker.failed();
        assertThat(breaker.admits()).isFalse();
        pause();
        assertThat(breaker.admits()).isTrue();
        breaker.answered();
        assertThat(breaker.admits()).isTrue();
        assertThat(breaker.admits()).isTrue();
    }

    @Test
    void aTrialThatWasGivenUpMakesRoomForTheNext() {
        open();
        pause();
        assertThat(breaker.admits()).isTrue();
        breaker.unknown();
        assertThat(breaker.admits()).isTrue();
    }
}
