package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.longshore.sdk.errors.UnavailableException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogBinaryIT {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    @TempDir
    private Path folder;

    /** A reader that looks all the time takes any moment without a writer for the end. */
    @RepeatedTest(5)
    void everythingThatAFastProcessPrintsArrives() throws Exception {
        Path log = folder.resolve("log");
        Path logger = logger("""
                exec >%s
                perl -MFcntl -MPOSIX=close -e '
                  $| = 1;
                  fcntl(STDIN, F_SETFL, O_NONBLOCK);
                  POSIX::close(5);
                  until (defined($read = sysread(STDIN, $text, 4096)) && !$read) { print "err $text" if $read }
                ' <&4 &
                exec 5>&-
                sed 's/^/out /' <&3
                wait
                echo end
                """.formatted(log));
        try (ProcessStdio stdio = open("binary", logger)) {
            Process process = new ProcessBuilder("/bin/sh", "-c", "echo one; echo two >&2")
                    .redirectOutput(stdio.redirects().out())
                    .redirectError(stdio.redirects().err())
                    .start();
            assertThat(process.waitFor()).isZero();
        }
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(log).content().contains("end\n"));
        assertThat(log).content().contains("out one\n", "err two\n");
    }

    @Test
    void pipesGoWithAProgramThatDoesNotBecomeReady() throws IOException {
        Path logger = logger("exit 1\n");
        assertThatThrownBy(() -> open("binary-v2", logger)).isInstanceOf(UnavailableException.class);
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(folder).isDirectoryNotContaining("glob:**/log*[0-9]"));
    }

    private ProcessStdio open(String scheme, Path logger) throws IOException {
        String address = scheme + "://" + logger;
        return ProcessStdio.open(new ProcessStdio.Addresses("", address, address, false), "c", "n", folder);
    }

    private Path logger(String script) throws IOException {
        Path logger = folder.resolve("logger");
        Files.writeString(logger, "#!/bin/sh\n" + script);
        Files.setPosixFilePermissions(logger, PosixFilePermissions.fromString("rwxr-xr-x"));
        return logger;
    }
}
