package dev.longshore.daemon.diff;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.mount.Mount;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class LayerTargetTest {

    @Test
    void escapedColonIsPartOfALowerFoldersName() {
        LayerTarget target = LayerTarget.overlay(List.of(new Mount(
                        "overlay", "overlay", List.of("lowerdir=/a\\:b:/c\\\\d:/e", "upperdir=/u", "workdir=/w"))))
                .orElseThrow();
        assertThat(target.lower()).containsExactly(Path.of("/a:b"), Path.of("/c\\d"), Path.of("/e"));
        assertThat(target.root()).isEqualTo(Path.of("/u"));
    }
}
