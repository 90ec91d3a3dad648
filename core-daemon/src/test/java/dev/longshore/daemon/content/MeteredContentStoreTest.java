package dev.longshore.daemon.content;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MeteredContentStoreTest {

    private static final CallContext CONTEXT = CallContext.of("default", Duration.ofMinutes(1));
    private static final byte[] BLOB = new byte[1000];
    private static final Digest DIGEST = Digest.sha256(BLOB);

    @TempDir
    private Path folder;

    private MeteredContentStore store;

    @BeforeEach
    void open() throws IOException {
        store = new MeteredContentStore(new LocalContentStore(folder, Clock.systemUTC()));
        try (ContentWriter writer = store.writer(CONTEXT, new WriterRequest("ref", BLOB.length, Optional.of(DIGEST)))) {
            writer.write(ByteBuffer.wrap(BLOB));
            writer.commit(BLOB.length, Optional.of(DIGEST), Map.of());
        }
    }

    @AfterEach
    void close() {
        store.close();
    }

    private void read() {
        try (ContentReader reader = store.reader(CONTEXT, DIGEST)) {
            assertThat(reader.read(ByteBuffer.allocate(400), 0)).isEqualTo(400);
            assertThat(reader.read(ByteBuffer.allocate(1000), 400)).isEqualTo(600);
            assertThat(reader.read(ByteBuffer.allocate(1000), 1000)).isEqualTo(-1);
        }
    }

    @Test
    void whoWatchesABlobIsToldHowFarItWasRead() {
        List<Long> one = new ArrayList<>();
        List<Long> other = new ArrayList<>();
        try (var _ = store.watch(DIGEST, one::add)) {
            read();
            try (var _ = store.watch(DIGEST, other::add)) {
                read();
            }
            read();
        }
        read();
        assertThat(one).containsExactly(400L, 1000L, 400L, 1000L, 400L, 1000L);
        assertThat(other).containsExactly(400L, 1000L);
    }

    @Test
    void otherBlobsAreNotToldOf() {
        try (var _ = store.watch(
                Digest.sha256(new byte[1]), position -> assertThat(position).isNegative())) {
            read();
        }
    }
}
