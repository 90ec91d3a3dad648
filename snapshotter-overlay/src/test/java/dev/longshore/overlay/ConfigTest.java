package dev.longshore.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.flag.Flags.UsageException;
import dev.longshore.transport.serve.ServeOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ConfigTest {

    @Test
    void defaultsAreContainerds() throws Exception {
        assertThat(parse("--address", "unix:///run/overlay.sock", "--root", "/var/lib/overlay"))
                .isEqualTo(new Config(
                        ServeOptions.of(Path.of("/run/overlay.sock")),
                        Path.of("/var/lib/overlay"),
                        List.of(),
                        false,
                        false,
                        "info"));
    }

    @Test
    void everyFlagIsTaken() throws Exception {
        assertThat(parse(
                        "--address=/run/o.sock",
                        "--root=/var/../var/o/",
                        "--mount-options=volatile,index=on",
                        "--upperdir-label",
                        "--sync-remove",
                        "--log-level=debug"))
                .isEqualTo(new Config(
                        ServeOptions.of(Path.of("/run/o.sock")),
                        Path.of("/var/o"),
                        List.of("volatile", "index=on"),
                        true,
                        true,
                        "debug"));
    }

    @Test
    void addressAndRootAreNeeded() {
        assertThatThrownBy(() -> parse("--root", "/r"))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("--address");
        assertThatThrownBy(() -> parse("--address", "/a"))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("--root");
    }

    @Test
    void whatCannotWorkIsRefusedWithAReason() {
        assertThatThrownBy(() -> parse("--address", "relative.sock", "--root", "/r"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("absolute");
        for (String root : List.of("/a:b", "/a,b", "/a\\b")) {
            assertThatThrownBy(() -> parse("--address", "/a", "--root", root))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("overlayfs");
        }
        for (String option : List.of("lowerdir=/x", "upperdir=/x", "workdir=/x", "lowerdir+=/x")) {
            assertThatThrownBy(() -> parse("--address", "/a", "--root", "/r", "--mount-options", option))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining(option);
        }
        assertThatThrownBy(() -> parse("--address", "/a", "--root", "/r", "--log-level", "loud"))
                .isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> parse("--address", "/a", "--root", "/r", "more"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("more");
    }

    private static Config parse(String... arguments) throws UsageException, IOException {
        return Config.of(Config.flags().parse(List.of(arguments)));
    }
}
