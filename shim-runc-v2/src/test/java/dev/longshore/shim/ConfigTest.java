package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.flag.Flags.UsageException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ConfigTest {

    @Test
    void emptyCommandLineServesWithDefaults() throws UsageException {
        Config config = Config.parse(List.of(), Map.of());
        assertThat(config)
                .isEqualTo(new Config(
                        "",
                        "",
                        "",
                        Path.of("").toAbsolutePath().resolve("."),
                        Path.of(""),
                        config.socket(),
                        "",
                        Duration.ofMinutes(5)));
        assertThat(config.socket()).isEmpty();
    }

    @Test
    void everyFlagIsTaken() throws UsageException {
        Config config = Config.parse(
                List.of(
                        "-namespace",
                        "n",
                        "-address",
                        "a",
                        "-publish-binary",
                        "p",
                        "-id",
                        "i",
                        "-bundle",
                        "/b",
                        "-launcher",
                        "/l",
                        "-socket",
                        "/s",
                        "delete"),
                Map.of("TTRPC_ADDRESS", "/t", "LONGSHORE_SHIM_IDLE_SECONDS", "7"));
        assertThat(config.action()).isEqualTo("delete");
        assertThat(config.namespace()).isEqualTo("n");
        assertThat(config.id()).isEqualTo("i");
        assertThat(config.bundle()).isEqualTo(Path.of("/b"));
        assertThat(config.launcher()).isEqualTo(Path.of("/l"));
        assertThat(config.socket()).contains(Path.of("/s"));
        assertThat(config.ttrpcAddress()).isEqualTo("/t");
        assertThat(config.idle()).isEqualTo(Duration.ofSeconds(7));
    }

    @Test
    void unknownFlagIsRefused() {
        assertThatThrownBy(() -> Config.parse(List.of("-nonsense", "x"), Map.of()))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("-nonsense");
    }

    @Test
    void timeThatIsNoNumberIsRefused() {
        assertThatThrownBy(() -> Config.parse(List.of(), Map.of("LONGSHORE_SHIM_IDLE_SECONDS", "soon")))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("LONGSHORE_SHIM_IDLE_SECONDS")
                .hasMessageContaining("soon");
    }
}
