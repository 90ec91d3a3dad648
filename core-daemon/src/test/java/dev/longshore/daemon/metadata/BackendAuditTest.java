package dev.longshore.daemon.metadata;

import static dev.longshore.daemon.metadata.MetadataFixture.context;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a backend has against what clients were given. */
class BackendAuditTest {

    private final CallContext context = context();
    private final CallContext nobody = CallContext.withoutNamespace(Duration.ofMinutes(1));

    @TempDir
    private Path root;

    private MetadataStore metadata;

    @BeforeEach
    void open() {
        metadata = MetadataStore.open(root, Clock.systemUTC(), leavesGarbage -> {});
    }

    @AfterEach
    void close() {
        metadata.close();
    }

    private static void prepare(MetadataSnapshotter snapshotter, CallContext context, String key) {
        var _ = snapshotter.prepare(context, key, "", Map.of());
    }

    @Test
    void nothingIsLostOfABackendThatHasAll() {
        MetadataSnapshotter snapshotter = metadata.snapshotter("map", new MapSnapshotter());
        prepare(snapshotter, context, "a");
        assertThat(snapshotter.lost(nobody)).isEqualTo(new SnapshotNames(0, List.of()));
        assertThat(snapshotter.held().count()).isOne();
    }

    @Test
    void whatABackendHasLostIsNamedInAllNamespaces() {
        MapSnapshotter backend = new MapSnapshotter();
        MetadataSnapshotter snapshotter = metadata.snapshotter("map", backend);
        prepare(snapshotter, context, "b");
        prepare(snapshotter, CallContext.of("another", Duration.ofMinutes(1)), "a");
        backend.snapshots.clear();
        prepare(snapshotter, context, "new");
        assertThat(snapshotter.lost(nobody)).isEqualTo(new SnapshotNames(2, List.of("another/a", "test/b")));
        assertThat(snapshotter.lost(nobody)).hasToString("2 snapshots: another/a, test/b");
    }

    @Test
    void whatIsRemovedOrCommittedWhileItLooksIsNotLost() {
        MetadataSnapshotter[] snapshotter = new MetadataSnapshotter[1];
        MapSnapshotter backend = new MapSnapshotter() {
            @Override
            public void list(CallContext call, List<String> filters, Consumer<SnapshotInfo> sink) {
                snapshotter[0].remove(context, "removed");
                snapshotter[0].commit(context, "name", "committed", Optional.empty(), Map.of());
                snapshots.clear();
                super.list(call, filters, sink);
            }
        };
        snapshotter[0] = metadata.snapshotter("map", backend);
        prepare(snapshotter[0], context, "removed");
        prepare(snapshotter[0], context, "committed");
        prepare(snapshotter[0], context, "lost");
        assertThat(snapshotter[0].lost(nobody).first()).containsExactly("test/lost");
    }

    @Test
    void aCommitThatIsUnderWayLosesNothing() {
        MapSnapshotter backend = new MapSnapshotter();
        MetadataSnapshotter snapshotter = metadata.snapshotter("map", backend);
        prepare(snapshotter, context, "key");
        backend.dieAfter("commit", new UnavailableException("the line is down"));
        try {
            snapshotter.commit(context, "name", "key", Optional.empty(), Map.of());
        } catch (UnavailableException e) {
            // The backend has it under its new name, and nobody knows yet.
        }
        backend.recover();
        assertThat(snapshotter.lost(nobody).count()).isZero();
    }

    @Test
    void aBackendThatListsWithoutMeasureIsCleanedInParts() {
        int[] removed = {0};
        MapSnapshotter backend = new MapSnapshotter() {
            @Override
            public void list(CallContext call, List<String> filters, Consumer<SnapshotInfo> sink) {
                for (int i = 0; i < 150_000; i++) {
                    sink.accept(new SnapshotInfo(
                            Kind.ACTIVE, "test/" + i + "/k", "", Map.of(), Instant.EPOCH, Instant.EPOCH));
                }
            }

            @Override
            public void remove(CallContext call, String key) {
                removed[0]++;
            }
        };
        assertThat(metadata.snapshotter("map", backend).removeGarbage(nobody)).isEqualTo(100_000);
        assertThat(removed[0]).isEqualTo(100_000);
    }
}
