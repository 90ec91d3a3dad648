package dev.longshore.daemon.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.metadata.MetadataStore;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.daemon.transfer.Blobs.Watcher;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of blobs that come whole, in part, or as something else. */
class BlobsTest {

    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final int SIZE = 1 << 20;

    @TempDir
    private Path folder;

    private final CallContext context = CallContext.of("default", PATIENCE);
    private final byte[] bytes = new byte[SIZE];
    private MetadataStore metadata;
    private ContentStore content;
    private Blobs blobs;
    private Descriptor layer;

    @BeforeEach
    void open() throws IOException {
        Clock clock = Clock.systemUTC();
        metadata = MetadataStore.open(Files.createDirectories(folder.resolve("metadata")), clock, _ -> {});
        content = metadata.content(
                new LocalContentStore(Files.createDirectories(folder.resolve("content")), clock), SharingPolicy.SHARED);
        blobs = new Blobs(content, "content");
        new Random(7).nextBytes(bytes);
        layer = new Descriptor(MediaTypes.OCI_LAYER, Digest.sha256(bytes), SIZE);
    }

    @AfterEach
    void close() {
        metadata.close();
    }

    /** Counts what it is told. */
    private static final class Seen implements Watcher {

        private final AtomicLong moved = new AtomicLong();
        private final AtomicInteger complete = new AtomicInteger();
        private final AtomicInteger existed = new AtomicInteger();
        private volatile Optional<ContentReader> written = Optional.empty();

        @Override
        public void begins(Optional<ContentReader> reader) {
            written = reader;
        }

        @Override
        public void advance(long count) {
            moved.addAndGet(count);
        }

        @Override
        public void complete() {
            complete.incrementAndGet();
        }

        @Override
        public void exists() {
            existed.incrementAndGet();
        }
    }

    private InputStream from(long offset) {
        return new ByteArrayInputStream(bytes, (int) offset, SIZE - (int) offset);
    }

    private static InputStream breaking() {
        return new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("the line is cut");
            }

            @Override
            public int read(byte[] bytes, int offset, int length) throws IOException {
                throw new IOException("the line is cut");
            }
        };
    }

    @Test
    void brokenOffBlobGoesOnWhereItWas() throws Exception {
        assertThatThrownBy(() -> blobs.store(
                        context,
                        layer,
                        Map.of(),
                        _ -> new SequenceInputStream(new ByteArrayInputStream(bytes, 0, SIZE / 2), breaking()),
                        new Seen()))
                .isInstanceOf(IOException.class);
        AtomicLong asked = new AtomicLong();
        Seen seen = new Seen();
        blobs.store(
                context,
                layer,
                Map.of("from", "test"),
                offset -> {
                    asked.set(offset);
                    return from(offset);
                },
                seen);
        assertThat(asked).hasPositiveValue();
        assertThat(seen.moved).hasValue(SIZE);
        assertThat(content.info(context, layer.digest()).labels()).containsEntry("from", "test");
    }

    @Test
    void otherBytesThanTheDescriptorSaysLeaveNothing() {
        byte[] other = bytes.clone();
        other[SIZE - 1]++;
        assertThatThrownBy(
                        () -> blobs.store(context, layer, Map.of(), _ -> new ByteArrayInputStream(other), new Seen()))
                .isInstanceOf(DataLossException.class)
                .hasMessageContaining(layer.digest().toString());
        assertThat(content.statuses(context, List.of())).isEmpty();
        assertThat(blobs.has(context, layer.digest())).isFalse();
    }

    @Test
    void shortBlobIsNotTaken() {
        assertThatThrownBy(() -> blobs.store(
                        context, layer, Map.of(), _ -> new ByteArrayInputStream(bytes, 0, SIZE - 1), new Seen()))
                .isInstanceOf(DataLossException.class);
        assertThat(blobs.has(context, layer.digest())).isFalse();
    }

    @Test
    void longBlobIsNotTaken() {
        assertThatThrownBy(() -> blobs.store(
                        context,
                        layer,
                        Map.of(),
                        _ -> new SequenceInputStream(from(0), new ByteArrayInputStream(new byte[1])),
                        new Seen()))
                .isInstanceOf(InvalidArgumentException.class);
        assertThat(blobs.has(context, layer.digest())).isFalse();
    }

    @Test
    void registryThatIsAwayFailsTheBlobAtOnce() {
        assertTimeoutPreemptively(
                Duration.ofSeconds(20),
                () -> assertThatThrownBy(() -> blobs.store(
                                context,
                                layer,
                                Map.of(),
                                _ -> {
                                    throw new UnavailableException("the registry is away");
                                },
                                new Seen()))
                        .isInstanceOf(UnavailableException.class));
        assertThat(content.statuses(context, List.of())).isEmpty();
    }

    @Test
    void secondOfTwoWaitsForTheFirstAndFetchesNothing() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Seen second = new Seen();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> first = threads.submit(() -> {
                blobs.store(
                        context,
                        layer,
                        Map.of(),
                        offset -> {
                            begun.countDown();
                            goOn.await();
                            return from(offset);
                        },
                        new Seen());
                return true;
            });
            begun.await();
            Future<?> other = threads.submit(() -> {
                blobs.store(
                        context,
                        layer,
                        Map.of(),
                        _ -> {
                            throw new IOException("nothing was to be fetched");
                        },
                        second);
                return true;
            });
            goOn.countDown();
            first.get();
            other.get();
        }
        assertThat(second.existed).hasValue(1);
    }

    @Test
    void whatIsWrittenCanBeReadWhileTheRestComesAndAfterwards() throws Exception {
        Seen seen = new Seen();
        AtomicLong early = new AtomicLong();
        blobs.store(
                context,
                layer,
                Map.of(),
                offset -> new SequenceInputStream(new ByteArrayInputStream(bytes, 0, SIZE / 2), new InputStream() {
                    private final InputStream rest = new ByteArrayInputStream(bytes, SIZE / 2, SIZE / 2);

                    @Override
                    public int read() throws IOException {
                        return rest.read();
                    }

                    @Override
                    public int read(byte[] buffer, int offset, int length) throws IOException {
                        early.compareAndSet(0, seen.written.orElseThrow().size());
                        return rest.read(buffer, offset, length);
                    }
                }),
                seen);
        assertThat(early.get()).isPositive().isLessThan(SIZE);
        try (ContentReader written = seen.written.orElseThrow()) {
            ByteBuffer all = ByteBuffer.allocate(SIZE);
            while (all.hasRemaining() && written.read(all, all.position()) > 0) {
                // as far as it goes
            }
            assertThat(all.array()).isEqualTo(bytes);
        }
    }
}
