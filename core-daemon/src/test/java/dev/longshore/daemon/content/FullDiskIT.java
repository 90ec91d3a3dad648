package dev.longshore.daemon.content;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.daemon.content.ContentProcess.Opened;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.Errors;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.testkit.ProxiedContentStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk that is full costs what cannot be written, and nothing that was acknowledged; with space, all goes on. */
final class FullDiskIT {

    private static final int MIB = 1 << 20;

    private final CallContext context = CallContext.of("full", Duration.ofMinutes(1));

    @TempDir
    private Path folder;

    private Opened opened;

    @BeforeEach
    void mountSmallDisk() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount a small disk");
        Mounts.mountAll(List.of(new Mount("tmpfs", "tmpfs", List.of("size=8m"))), folder);
        opened = Opened.on(folder);
    }

    @AfterEach
    void unmount() throws IOException {
        if (opened != null) {
            opened.close();
        }
        Mounts.unmountAll(folder);
    }

    private static byte[] bytes(int size, int seed) {
        byte[] bytes = new byte[size];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static Digest write(ContentStore content, CallContext context, String ref, byte[] bytes) {
        Digest digest = Digest.sha256(bytes);
        try (ContentWriter writer =
                content.writer(context, new WriterRequest(ref, bytes.length, Optional.of(digest)))) {
            int offset = (int) writer.status().offset();
            writer.write(ByteBuffer.wrap(bytes, offset, bytes.length - offset));
            writer.commit(bytes.length, Optional.of(digest), Map.of());
        }
        return digest;
    }

    private void assertReadable(Digest digest, byte[] bytes) {
        try (ContentReader reader = opened.content().reader(context, digest)) {
            ByteBuffer buffer = ByteBuffer.allocate(bytes.length);
            while (buffer.hasRemaining()) {
                assertThat(reader.read(buffer, buffer.position())).isPositive();
            }
            assertThat(buffer.array()).isEqualTo(bytes);
        }
    }

    /** Leaves nothing of the disk. */
    private Path fill() throws IOException {
        Path filler = folder.resolve("filler");
        try (FileChannel channel = FileChannel.open(
                filler, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND)) {
            for (int size = MIB; size > 0; size /= 2) {
                fill(channel, size);
            }
        }
        return filler;
    }

    private static void fill(FileChannel channel, int size) throws IOException {
        try {
            while (true) {
                int _ = channel.write(ByteBuffer.allocate(size));
            }
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("No space left");
        }
    }

    @Test
    void aBlobThatDoesNotFitIsRefusedAndTheNextOneIsTaken() throws Exception {
        byte[] kept = bytes(MIB, 1);
        Digest digest = write(opened.content(), context, "kept", kept);
        byte[] big = bytes(20 * MIB, 2);

        assertThatThrownBy(() -> write(opened.content(), context, "big", big))
                .satisfies(error -> assertThat(Errors.classify(error)).isInstanceOf(ResourceExhaustedException.class));

        assertReadable(digest, kept);
        assertThat(opened.content().status(context, "big").offset())
                .as("what fitted is kept")
                .isGreaterThan(MIB);
        opened.content().abort(context, "big");
        byte[] small = bytes(MIB, 3);
        assertReadable(write(opened.content(), context, "small", small), small);
        assertReadable(digest, kept);
    }

    @Test
    void anIngestGoesOnWhenThereIsSpaceAgain() throws Exception {
        Path filler = Files.write(folder.resolve("filler"), new byte[4 * MIB]);
        byte[] bytes = bytes(5 * MIB, 4);
        assertThatThrownBy(() -> write(opened.content(), context, "r", bytes))
                .satisfies(error -> assertThat(Errors.classify(error)).isInstanceOf(ResourceExhaustedException.class));
        Files.delete(filler);
        assertReadable(write(opened.content(), context, "r", bytes), bytes);
    }

    @Test
    void aClientIsToldWhatIsTheMatter() throws Exception {
        try (ContentStore client = ProxiedContentStore.over(opened.content())) {
            assertThatThrownBy(() -> write(client, context, "big", bytes(20 * MIB, 5)))
                    .isInstanceOf(ResourceExhaustedException.class)
                    .hasMessageContaining("free some space");
        }
    }

    @Test
    void withoutAnySpaceNothingIsAcknowledgedAndNothingLost() throws Exception {
        byte[] kept = bytes(MIB, 6);
        Digest digest = write(opened.content(), context, "kept", kept);
        Path filler = fill();

        // Neither files nor rows can be written now.
        for (int i = 0; i < 3; i++) {
            String ref = "r" + i;
            assertThatThrownBy(() -> write(opened.content(), context, ref, bytes(100_000, 7)))
                    .satisfies(
                            error -> assertThat(Errors.classify(error)).isInstanceOf(ResourceExhaustedException.class));
        }
        assertReadable(digest, kept);

        Files.delete(filler);
        byte[] later = bytes(MIB, 8);
        Digest after = write(opened.content(), context, "later", later);
        opened.close();
        opened = Opened.on(folder);
        assertReadable(digest, kept);
        assertReadable(after, later);
    }
}
