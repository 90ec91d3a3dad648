package dev.longshore.sdk.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

final class PidFdIT {

    @Test
    void codeOfAProcessThatSomebodyElseReapedIsKnown() throws Exception {
        assumeExitInfo();
        Process process = shell("read line; exit 42");
        try (PidFd pidFd = PidFd.open((int) process.pid())) {
            assertThat(pidFd.exitStatus()).isEmpty();
            process.getOutputStream().close();
            process.waitFor();

            assertThat(pidFd.awaitEnd(Duration.ofSeconds(10))).isTrue();
            assertThat(pidFd.exitStatus()).hasValue(42);
        }
    }

    @Test
    void signalThatEndedAProcessIsAddedTo128() throws Exception {
        assumeExitInfo();
        Process process = shell("read line");
        try (PidFd pidFd = PidFd.open((int) process.pid())) {
            pidFd.signal(9);
            process.waitFor();

            assertThat(pidFd.exitStatus()).hasValue(137);
        }
    }

    @Test
    void aRunningProcessHasNotEnded() throws Exception {
        Process process = shell("read line");
        try (PidFd pidFd = PidFd.open((int) process.pid())) {
            assertThat(pidFd.awaitEnd(Duration.ofMillis(20))).isFalse();
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    @Test
    void aReapedProcessCannotBeOpened() throws Exception {
        Process process = shell("exit 0");
        process.waitFor();

        assertThatThrownBy(() -> PidFd.open((int) process.pid()))
                .isInstanceOfSatisfying(
                        ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ESRCH));
    }

    @Test
    void aProcessThatIsNotOurChildCannotBeReaped() throws Exception {
        try (PidFd pidFd = PidFd.open((int) ProcessHandle.current().pid())) {
            assertThatThrownBy(pidFd::reap)
                    .isInstanceOfSatisfying(
                            ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ECHILD));
        }
    }

    @Test
    void waitStatusIsCodeOrSignal() {
        assertThat(PidFd.fromWaitStatus(0x2a00)).isEqualTo(42);
        assertThat(PidFd.fromWaitStatus(0x9)).isEqualTo(137);
        assertThat(PidFd.fromWaitStatus(0x8b)).as("with a core dump").isEqualTo(139);
    }

    private static void assumeExitInfo() throws IOException, InterruptedException {
        Process process = shell("read line");
        OptionalInt status;
        try (PidFd pidFd = PidFd.open((int) process.pid())) {
            process.destroyForcibly().waitFor();
            status = pidFd.exitStatus();
        }
        assumeTrue(status.isPresent(), "the kernel is older than 6.15: it has no PIDFD_INFO_EXIT");
    }

    private static Process shell(String script) throws IOException {
        return new ProcessBuilder("sh", "-c", script).start();
    }
}
