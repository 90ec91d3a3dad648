package dev.longshore.daemon.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.oci.Platform;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which images run where. */
class PlatformsTest {

    private static Platform platform(String architecture, String variant) {
        return new Platform("linux", architecture, variant, "", List.of());
    }

    @ParameterizedTest
    @CsvSource({
        "amd64, '', amd64, '', 0",
        "x86_64, '', amd64, '', 0",
        "amd64, v1, amd64, '', 0",
        "aarch64, '', arm64, v8, 0",
        "arm, v7, arm, v6, 1",
        "arm, '', arm, v7, 0",
        "arm, v6, arm, v7, -1",
        "amd64, '', arm64, '', -1",
        "amd64, v3, amd64, '', 2",
        "amd64, '', amd64, v3, -1"
    })
    void rankIsHowMuchOlderTheImageIsThanTheMachine(
            String wanted, String variant, String offered, String offeredVariant, int rank) {
        assertThat(Platforms.rank(platform(wanted, variant), Platforms.normalized(platform(offered, offeredVariant))))
                .isEqualTo(rank);
    }

    @Test
    void anotherSystemIsNone() {
        assertThat(Platforms.rank(platform("amd64", ""), new Platform("windows", "amd64", "", "10.0", List.of())))
                .isEqualTo(-1);
    }

    @Test
    void thisMachineRunsItsOwn() {
        assertThat(Platforms.rank(Platforms.host(), Platforms.host())).isZero();
    }
}
