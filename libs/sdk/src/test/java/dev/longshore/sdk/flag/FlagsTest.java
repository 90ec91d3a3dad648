package dev.longshore.sdk.flag;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.flag.Flags.UsageException;
import java.util.List;
import org.junit.jupiter.api.Test;

class FlagsTest {

    private final Flags flags = new Flags("program [flags]")
            .option("address", "SOCKET", "where to listen")
            .option("debug", "", "say more");

    @Test
    void valuesFollowOrAreJoinedWithOneDashOrTwo() throws UsageException {
        for (List<String> line : List.of(
                List.of("--address", "/a"),
                List.of("--address=/a"),
                List.of("-address", "/a"),
                List.of("-address=/a"))) {
            assertThat(flags.parse(line).require("address")).isEqualTo("/a");
        }
    }

    @Test
    void switchesHaveNoValueAndTheRestAreArguments() throws UsageException {
        var parsed = flags.parse(List.of("config", "--debug", "dump", "--", "--address"));
        assertThat(parsed.has("debug")).isTrue();
        assertThat(parsed.arguments()).containsExactly("config", "dump", "--address");
        assertThat(parsed.value("address")).isEmpty();
    }

    @Test
    void anUnknownFlagNamesTheNearestKnownOne() {
        assertThatThrownBy(() -> flags.parse(List.of("--adress", "/a")))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("did you mean --address?");
        assertThatThrownBy(() -> flags.parse(List.of("--frobnicate")))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("--help");
    }

    @Test
    void aMissingOrNeedlessValueIsRefused() {
        assertThatThrownBy(() -> flags.parse(List.of("--address"))).hasMessageContaining("SOCKET");
        assertThatThrownBy(() -> flags.parse(List.of("--debug=yes"))).hasMessageContaining("no value");
        assertThatThrownBy(() -> flags.parse(List.of()).require("address")).hasMessageContaining("required");
    }

    @Test
    void theHelpNamesEveryFlag() {
        assertThat(flags.help()).contains("program [flags]", "--address SOCKET", "--debug", "--version");
    }
}
