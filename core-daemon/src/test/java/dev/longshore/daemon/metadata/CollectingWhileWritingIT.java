package dev.longshore.daemon.metadata;

import static dev.longshore.daemon.metadata.MetadataFixture.bytes;
import static dev.longshore.daemon.metadata.MetadataFixture.digest;
import static dev.longshore.daemon.metadata.MetadataFixture.image;
import static dev.longshore.daemon.metadata.MetadataFixture.write;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.namespace.NamespaceId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Clients pull and delete the same few layers over and over, in several namespaces, while garbage is collected without a
 * pause: what an image of a client refers to is there and whole, always.
 */
final class CollectingWhileWritingIT {

    private static final int CLIENTS = 6;
    private static final int PULLS = 60;

    /** So few that clients meet at them: one deletes what the other is about to take for granted. */
    private static final int LAYERS = 5;

    @TempDir
    private Path root;

    private MetadataStore metadata;
    private MetadataContentStore content;
    private MetadataSnapshotter snapshotter;
    private final MapSnapshotter backend = new MapSnapshotter();
    private final AtomicInteger removed = new AtomicInteger();

    @BeforeEach
    void open() throws Exception {
        metadata = MetadataStore.open(
                Files.createDirectories(root.resolve("meta")), Clock.systemUTC(), leavesGarbage -> {});
        content = content(SharingPolicy.SHARED);
        snapshotter = metadata.snapshotter("map", backend);
    }

    private MetadataContentStore content(SharingPolicy policy) throws IOException {
        return metadata.content(new LocalContentStore(root.resolve("content"), Clock.systemUTC()), policy);
    }

    @AfterEach
    void close() {
        metadata.close();
    }

    @ParameterizedTest
    @EnumSource
    void nothingThatIsReferredToIsEverRemoved(SharingPolicy policy) throws Exception {
        content = content(policy);
        run();
        assertThat(removed.get()).as("collected meanwhile").isPositive();
    }

    private void run() throws Exception {
        AtomicBoolean ended = new AtomicBoolean();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> collecting = threads.submit(() -> {
                CallContext nobody = CallContext.withoutNamespace(Duration.ofMinutes(5));
                while (!ended.get()) {
                    var _ = metadata.garbage().run();
                    removed.addAndGet(content.removeGarbage(nobody));
                    removed.addAndGet(snapshotter.removeGarbage(nobody));
                }
                return true;
            });
            List<Future<?>> clients = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                int client = i;
                clients.add(threads.submit(() -> {
                    pullAndDelete("ns" + client % 3, client);
                    return true;
                }));
            }
            try {
                for (Future<?> client : clients) {
                    assertThat(client.get()).isEqualTo(true);
                }
            } finally {
                ended.set(true);
            }
            assertThat(collecting.get()).isEqualTo(true);
        }
        // With all images gone, all of it goes.
        CallContext nobody = CallContext.withoutNamespace(Duration.ofMinutes(5));
        var _ = metadata.garbage().run();
        var _ = content.removeGarbage(nobody);
        var _ = snapshotter.removeGarbage(nobody);
        for (int i = 0; i < 3; i++) {
            assertThat(MetadataFixture.list(content, CallContext.of("ns" + i, Duration.ofMinutes(1))))
                    .isEmpty();
        }
        assertThat(backend.snapshots).isEmpty();
    }

    private void pullAndDelete(String name, int client) {
        NamespaceId namespace = new NamespaceId(name);
        Random random = new Random(client);
        for (int pull = 0; pull < PULLS; pull++) {
            String id = "c" + client + "-" + pull;
            metadata.leases().create(namespace, id, Map.of());
            CallContext context = CallContext.of(name, Duration.ofMinutes(1)).withLease(id);
            Map<String, String> references = new HashMap<>();
            List<String> layers = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                String layer = "layer " + random.nextInt(LAYERS) + " ".repeat(1000);
                layers.add(layer);
                references.put(
                        "containerd.io/gc.ref.content.l." + i,
                        takeOrWrite(context, layer, id + i).toString());
            }
            // The snapshot is made under the lease, and then kept by the config's label.
            var _ = snapshotter.prepare(context, "extract " + id, "", Map.of());
            snapshotter.commit(context, "chain " + id, "extract " + id, Optional.empty(), Map.of());
            references.put("containerd.io/gc.ref.snapshot.map", "chain " + id);
            String manifest = "manifest " + id;
            var _ = write(content, context, manifest, references);
            var _ = metadata.images().create(context, image(id, manifest, Map.of()));
            metadata.leases().delete(namespace, id);

            for (String layer : layers) {
                check(context, layer);
            }
            check(context, manifest);
            var _ = snapshotter.mounts(context, chainView(context, id));
            snapshotter.remove(context, "view " + id);
            if (random.nextBoolean()) {
                var _ = snapshotter.stat(context, "chain " + id);
            }
            var _ = metadata.images().delete(namespace, id, Optional.empty());
        }
    }

    private String chainView(CallContext context, String id) {
        CallContext plain = CallContext.of(context.requireNamespace().value(), Duration.ofMinutes(1));
        var _ = snapshotter.view(
                plain, "view " + id, "chain " + id, Map.of("containerd.io/gc.root", "while it is looked at"));
        return "view " + id;
    }

    /** As clients do: whoever is told that the blob exists has it leased by that. */
    private Digest takeOrWrite(CallContext context, String layer, String ref) {
        try {
            byte[] bytes = bytes(layer);
            try (var writer =
                    content.writer(context, new WriterRequest(ref, bytes.length, Optional.of(digest(layer))))) {
                int there = (int) writer.status().offset();
                writer.write(ByteBuffer.wrap(bytes, there, bytes.length - there));
                writer.commit(bytes.length, Optional.of(digest(layer)), Map.of());
            }
        } catch (AlreadyExistsException e) {
            assertThat(e).hasMessageContaining(digest(layer).toString());
        }
        return digest(layer);
    }

    private void check(CallContext context, String text) {
        byte[] bytes = bytes(text);
        try (ContentReader reader = content.reader(context, digest(text))) {
            ByteBuffer buffer = ByteBuffer.allocate(bytes.length);
            while (buffer.hasRemaining()) {
                assertThat(reader.read(buffer, buffer.position())).isPositive();
            }
            assertThat(buffer.array()).isEqualTo(bytes);
        }
    }
}
