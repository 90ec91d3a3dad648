package dev.longshore.cli.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MountFlagTest {

    @Test
    void whatCtrTakesIsTaken() {
        assertThat(MountFlag.parse("type=bind,src=/host,dst=/data,options=rbind:ro"))
                .isEqualTo(new MountFlag("bind", "/host", "/data", List.of("rbind", "ro")));
    }

    @Test
    void bindIsTheDefault() {
        assertThat(MountFlag.parse("source=/host,target=/data,ro").tree())
                .isEqualTo(Map.of(
                        "type", "bind", "source", "/host", "destination", "/data", "options", List.of("rbind", "ro")));
    }

    @Test
    void otherTypesNeedNoSource() {
        assertThat(MountFlag.parse("type=tmpfs,dst=/scratch").tree())
                .isEqualTo(Map.of("type", "tmpfs", "source", "tmpfs", "destination", "/scratch", "options", List.of()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "src=/a", "src=a,dst=/b", "dst=/b", "src=/a,dst=b", "src=/a,dst=/b,colour=red"})
    void whatIsNoMountIsRefused(String text) {
        assertThatThrownBy(() -> MountFlag.parse(text)).isInstanceOf(InvalidArgumentException.class);
    }
}
