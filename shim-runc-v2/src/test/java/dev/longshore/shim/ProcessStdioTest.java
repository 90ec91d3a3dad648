package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProcessStdioTest {

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "/run/x/out, /run/x/out",
        "/run/a b/%41, /run/a b/%41",
        "fifo:///run/out, /run/out",
        "file:///var/log/c.log, /var/log/c.log",
        "file:///var/log/a%20b, /var/log/a b",
        "file:///var/log/c?query=x, /var/log/c"
    })
    void pathIsThatOfTheAddress(String address, Path path) {
        assertThat(ProcessStdio.path(address)).isEqualTo(path);
    }

    @ParameterizedTest
    @ValueSource(strings = {"npipe:///x", "relative", "http://host/x", "file:///a b", "fifo:", "::", "file:relative"})
    void addressOfNoKnownKindIsRefused(String address) {
        assertThatThrownBy(() -> ProcessStdio.path(address))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(address);
    }

    @Test
    void noAddressesReadAndWriteNothing() throws IOException {
        try (ProcessStdio stdio = open("", "", "")) {
            assertThat(stdio.redirects().out()).isEqualTo(Redirect.DISCARD);
            assertThat(stdio.redirects().err()).isEqualTo(Redirect.DISCARD);
            assertThat(stdio.stdin()).isEmpty();
        }
    }

    @Test
    void sameAddressTwiceIsOneFile() throws IOException {
        String file = "file://" + folder.resolve("logs/log");
        try (ProcessStdio stdio = open("", file, file)) {
            assertThat(stdio.redirects().err()).isSameAs(stdio.redirects().out());
            assertThat(folder.resolve("logs")).isDirectory();
        }
    }

    @Test
    void fifoThatIsNotThereIsRefusedAndNotMade() {
        Path none = folder.resolve("none");
        assertThatThrownBy(() -> open(none.toString(), "", "")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> open("", none.toString(), "")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> open("", "", none.toString())).isInstanceOf(InvalidArgumentException.class);
        assertThat(none).doesNotExist();
    }

    private ProcessStdio open(String stdin, String stdout, String stderr) throws IOException {
        return ProcessStdio.open(new ProcessStdio.Addresses(stdin, stdout, stderr, false), "c", "n", folder);
    }
}
