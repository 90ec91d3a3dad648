package dev.longshore.sdk.context;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class CallContextTest {

    @Test
    void aCallWithoutNamespaceFailsWhereOneIsNeeded() {
        CallContext context = CallContext.withoutNamespace(Duration.ofSeconds(1));
        assertThatThrownBy(context::requireNamespace)
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("containerd-namespace");
    }

    @Test
    void withinOnlyEverShortensTheDeadline() {
        CallContext context = CallContext.of("default", Duration.ofSeconds(10));
        assertThat(context.within(Duration.ofSeconds(1)).deadline().remaining())
                .isLessThanOrEqualTo(Duration.ofSeconds(1));
        assertThat(context.within(Duration.ofHours(1)).deadline()).isEqualTo(context.deadline());
    }

    @Test
    void aPassedDeadlineHasNothingLeftAndFailsTheCheck() {
        Deadline passed = Deadline.after(Duration.ZERO);
        assertThat(passed.remaining()).isZero();
        assertThatThrownBy(() -> passed.check("mounting")).isInstanceOf(DeadlineExceededException.class);
    }
}
