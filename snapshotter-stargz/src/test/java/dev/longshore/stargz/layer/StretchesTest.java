package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.registry.ByteRange;
import java.util.List;
import org.junit.jupiter.api.Test;

final class StretchesTest {

    @Test
    void streamsThatAreNearEachOtherAreOneStretch() {
        assertThat(Stretches.of(List.of(
                        new ByteRange(0, 10),
                        new ByteRange(10, 20),
                        new ByteRange(1000, 2000),
                        new ByteRange(100_000, 100_001),
                        new ByteRange(100_001 + (16 << 10), 200_000),
                        new ByteRange(200_001 + (16 << 10), 300_000))))
                .containsExactly(
                        new ByteRange(0, 2000),
                        new ByteRange(100_000, 200_000),
                        new ByteRange(200_001 + (16 << 10), 300_000));
        assertThat(Stretches.of(List.of())).isEmpty();
    }
}
