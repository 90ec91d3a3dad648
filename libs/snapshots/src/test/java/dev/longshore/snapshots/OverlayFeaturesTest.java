package dev.longshore.snapshots;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class OverlayFeaturesTest {

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "4.19.0, false",
        "5.10.0-28-amd64, false",
        "5.18.19, false",
        "5.19.0, true",
        "6.1.0-18-amd64, true",
        "6.18, true",
        "10.0.1, true",
        "unknown, false"
    })
    void ownersAreMappedFromLinux519On(String release, boolean mapped) {
        assertThat(OverlayFeatures.mapsIds(release)).isEqualTo(mapped);
    }

    @Test
    void whatIsConfiguredIsNotChanged() throws Exception {
        assertThat(OverlayFeatures.mountOptions(List.of("index=on", "userxattr"), folder))
                .containsExactly("index=on", "userxattr");
    }

    @Test
    void theIndexIsOffWhereThereIsOne() throws Exception {
        boolean known = Files.exists(Path.of("/sys/module/overlay/parameters/index"));

        assertThat(OverlayFeatures.mountOptions(List.of("volatile"), folder).contains("index=off"))
                .isEqualTo(known);
    }
}
