package dev.longshore.content.ipfs;

import static dev.longshore.content.ipfs.Stores.CONTEXT;
import static dev.longshore.content.ipfs.Stores.bytes;
import static dev.longshore.content.ipfs.Stores.read;
import static dev.longshore.content.ipfs.Stores.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.Errors;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk without room. */
final class FullDiskIT {

    private static final int DISK = 8 << 20;

    @TempDir
    private Path disk;

    @BeforeEach
    void mount() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        Mounts.mountAll(List.of(new Mount("tmpfs", "tmpfs", List.of("size=" + DISK))), disk);
    }

    @AfterEach
    void unmount() throws IOException {
        Mounts.unmountAll(disk);
    }

    @Test
    void anIngestThatFindsNoRoomSaysSoAndGoesOnWhenThereIsSome() throws IOException {
        byte[] kept = bytes(1 << 20, 1);
        byte[] inTheWay = bytes(3 << 20, 2);
        byte[] big = bytes(5 << 20, 3);
        Digest first;
        Digest second;
        try (IpfsContentStore store = Stores.open(disk)) {
            first = write(store, kept);
            second = write(store, inTheWay);
            Throwable full = catchThrowable(() -> write(store, big));
            assertThat(full).isNotNull();
            assertThat(Errors.classify(full)).isInstanceOf(ResourceExhaustedException.class);
            assertThat(read(store, first)).isEqualTo(kept);
            assertThat(read(store, second)).isEqualTo(inTheWay);

            store.delete(CONTEXT, second);
            assertThat(store.status(CONTEXT, Digest.sha256(big).toString()).offset())
                    .as("what was written of it is kept")
                    .isPositive();
            assertThat(read(store, write(store, big))).isEqualTo(big);
        }
        try (IpfsContentStore store = Stores.open(disk)) {
            assertThat(read(store, first)).isEqualTo(kept);
            assertThat(read(store, Digest.sha256(big))).isEqualTo(big);
        }
    }
}
