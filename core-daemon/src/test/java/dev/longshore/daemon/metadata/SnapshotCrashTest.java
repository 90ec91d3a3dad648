package dev.longshore.daemon.metadata;

import static dev.longshore.daemon.metadata.MetadataFixture.NAMESPACE;
import static dev.longshore.daemon.metadata.MetadataFixture.context;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
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

/** Snapshots at each point where daemon, backend or the line between them may die: neither side forgets the other. */
final class SnapshotCrashTest {

    private static final Map<String, String> ROOT = Map.of("containerd.io/gc.root", "yes");
    private static final String REF = "containerd.io/snapshot.ref";

    private final CallContext context = context();
    private final CallContext nobody = CallContext.withoutNamespace(Duration.ofMinutes(1));
    private final MapSnapshotter backend = new MapSnapshotter();

    @TempDir
    private Path root;

    private MetadataStore metadata;
    private MetadataSnapshotter snapshotter;

    @BeforeEach
    void open() {
        metadata = MetadataStore.open(root, Clock.systemUTC(), leavesGarbage -> {});
        snapshotter = metadata.snapshotter("map", backend);
    }

    @AfterEach
    void close() {
        metadata.close();
    }

    /** As a new daemon finds what the last one left. */
    private void restart() {
        metadata.close();
        open();
    }

    private List<String> names() {
        List<String> names = new ArrayList<>();
        snapshotter.list(context, List.of(), info -> names.add(info.name()));
        return names;
    }

    private int collect() {
        var _ = metadata.garbage().run();
        snapshotter.settle();
        return snapshotter.removeGarbage(nobody);
    }

    private void layer(String name, String parent) {
        var _ = snapshotter.prepare(context, "extract " + name, parent, ROOT);
        snapshotter.commit(context, name, "extract " + name, Optional.empty(), ROOT);
    }

    // Prepare

    @Test
    void aPrepareThatTheBackendRefusedLeavesNothing() {
        backend.failBefore("prepare", new UnavailableException("gone"));
        assertThatThrownBy(() -> snapshotter.prepare(context, "a", "", ROOT)).isInstanceOf(UnavailableException.class);
        assertThat(names()).isEmpty();
        assertThat(snapshotter.prepare(context, "a", "", ROOT)).hasSize(1);
    }

    @Test
    void aPrepareWhoseAnswerWasLostIsGarbageAtTheBackend() {
        backend.failAfter("prepare", new DeadlineExceededException("too slow"));
        assertThatThrownBy(() -> snapshotter.prepare(context, "a", "", ROOT))
                .isInstanceOf(DeadlineExceededException.class);
        assertThat(names()).isEmpty();
        var _ = snapshotter.prepare(context, "a", "", ROOT);
        assertThat(backend.snapshots).hasSize(2);
        assertThat(collect()).isEqualTo(1);
        assertThat(names()).containsExactly("a");
        assertThat(snapshotter.mounts(context, "a")).hasSize(1);
    }

    @Test
    void aDaemonThatDiesWhileTheBackendPreparesForgetsTheSnapshot() {
        for (boolean afterwards : new boolean[] {false, true}) {
            backend.during("prepare", afterwards, () -> metadata.close());
            assertThatThrownBy(() -> snapshotter.prepare(context, "a", "", ROOT))
                    .isInstanceOf(RuntimeException.class);
            open();
            assertThat(names()).isEmpty();
            assertThat(backend.snapshots).hasSize(afterwards ? 1 : 0);
            assertThat(collect()).isEqualTo(afterwards ? 1 : 0);
            assertThat(snapshotter.prepare(context, "a", "", ROOT)).hasSize(1);
            snapshotter.remove(context, "a");
            assertThat(collect()).isEqualTo(1);
        }
    }

    @Test
    void aParentIsNotCollectedWhileAChildIsPrepared() {
        layer("base", "");
        backend.during("prepare", false, () -> {
            // Its last reference goes while the backend is at it.
            var _ = snapshotter.update(
                    context, snapshotter.stat(context, "base"), List.of("labels.containerd.io/gc.root"));
            assertThatThrownBy(() -> snapshotter.remove(context, "base"))
                    .isInstanceOf(FailedPreconditionException.class);
            assertThat(metadata.garbage().run().snapshots()).isZero();
        });
        assertThatThrownBy(() -> snapshotter.prepare(context, "a", "base", ROOT))
                .isInstanceOf(IllegalStateException.class);
        assertThat(names()).containsExactly("base");
    }

    // Commit

    @Test
    void aCommitThatTheBackendRefusedLeavesTheActiveSnapshot() {
        var _ = snapshotter.prepare(context, "a", "", ROOT);
        backend.failBefore("commit", new FailedPreconditionException("no"));
        assertThatThrownBy(() -> snapshotter.commit(context, "layer", "a", Optional.empty(), ROOT))
                .isInstanceOf(FailedPreconditionException.class);
        assertThat(names()).containsExactly("a");
        snapshotter.commit(context, "layer", "a", Optional.empty(), ROOT);
        assertThat(names()).containsExactly("layer");
        assertThat(collect()).isZero();
    }

    @Test
    void aCommitWhoseAnswerWasLostIsAskedAfter() {
        var _ = snapshotter.prepare(context, "a", "", ROOT);
        backend.failAfter("commit", new DeadlineExceededException("too slow"));
        snapshotter.commit(context, "layer", "a", Optional.empty(), ROOT);
        assertThat(names()).containsExactly("layer");
        assertThat(snapshotter.stat(context, "layer").kind()).isEqualTo(Kind.COMMITTED);
    }

    @Test
    void aCommitThatDidNotHappenIsAskedAfterToo() {
        var _ = snapshotter.prepare(context, "a", "", ROOT);
        backend.failBefore("commit", new UnavailableException("connection refused"));
        assertThatThrownBy(() -> snapshotter.commit(context, "layer", "a", Optional.empty(), ROOT))
                .isInstanceOf(UnavailableException.class);
        assertThat(names()).containsExactly("a");
        assertThat(snapshotter.mounts(context, "a")).hasSize(1);
    }

    @Test
    void aCommitOfABackendThatDiedIsFoundOutByWhoComesNext() {
        var _ = snapshotter.prepare(context, "a", "", ROOT);
        backend.dieAfter("commit", new UnavailableException("killed"));
        assertThatThrownBy(() -> snapshotter.commit(context, "layer", "a", Optional.empty(), ROOT))
                .isInstanceOf(UnavailableException.class);
        // While it is away nobody can know: neither name is told to be there or not.
        assertThatThrownBy(() -> snapshotter.stat(context, "layer")).isInstanceOf(UnavailableException.class);
        assertThatThrownBy(() -> snapshotter.remove(context, "a")).isInstanceOf(UnavailableException.class);
        backend.recover();
        assertThat(snapshotter.stat(context, "layer").kind()).isEqualTo(Kind.COMMITTED);
        assertThat(names()).containsExactly("layer");
        assertThat(collect()).isZero();
    }

    @Test
    void aCommitIsFoundOutAfterARestartOfBoth() {
        var _ = snapshotter.prepare(context, "a", "", ROOT);
        backend.dieAfter("commit", new UnavailableException("killed"));
        assertThatThrownBy(() -> snapshotter.commit(context, "layer", "a", Optional.empty(), ROOT))
                .isInstanceOf(UnavailableException.class);
        restart();
        backend.recover();
        // The client tries again, as unpacking does.
        assertThatThrownBy(() -> snapshotter.commit(context, "layer", "a", Optional.empty(), ROOT))
                .isInstanceOf(NotFoundException.class);
        assertThat(snapshotter.stat(context, "layer").kind()).isEqualTo(Kind.COMMITTED);
        layer("top", "layer");
        assertThat(collect()).isZero();
    }

    @Test
    void aDaemonThatDiesWhileTheBackendCommitsFindsOutLater() {
        for (boolean afterwards : new boolean[] {false, true}) {
            String name = "layer " + afterwards;
            var _ = snapshotter.prepare(context, "a", "", ROOT);
            backend.during("commit", afterwards, () -> metadata.close());
            assertThatThrownBy(() -> snapshotter.commit(context, name, "a", Optional.empty(), ROOT))
                    .isInstanceOf(RuntimeException.class);
            open();
            assertThat(collect()).isZero();
            if (afterwards) {
                assertThat(names()).contains(name).doesNotContain("a");
            } else {
                assertThat(names()).contains("a").doesNotContain(name);
                snapshotter.commit(context, name, "a", Optional.empty(), ROOT);
            }
            assertThat(snapshotter.stat(context, name).kind()).isEqualTo(Kind.COMMITTED);
        }
        assertThat(collect()).isZero();
        assertThat(backend.snapshots).hasSize(2);
    }

    @Test
    void aKeyIsFreeForAnotherSnapshotAfterACommitThatWasCutShort() {
        var _ = snapshotter.prepare(context, "a", "", ROOT);
        backend.during("commit", true, () -> metadata.close());
        assertThatThrownBy(() -> snapshotter.commit(context, "layer", "a", Optional.empty(), ROOT))
                .isInstanceOf(RuntimeException.class);
        open();
        var _ = snapshotter.prepare(context, "a", "layer", ROOT);
        snapshotter.settle();
        assertThat(names()).containsExactlyInAnyOrder("a", "layer");
        assertThat(collect()).isZero();
    }

    @Test
    void garbageIsNotWhatACommitMayHaveMade() {
        var _ = snapshotter.prepare(context, "a", "", ROOT);
        backend.dieAfter("commit", new UnavailableException("killed"));
        assertThatThrownBy(() -> snapshotter.commit(context, "layer", "a", Optional.empty(), ROOT))
                .isInstanceOf(UnavailableException.class);
        backend.recover();
        var _ = metadata.garbage().run();
        assertThat(snapshotter.removeGarbage(nobody)).isZero();
        assertThat(snapshotter.stat(context, "layer").kind()).isEqualTo(Kind.COMMITTED);
    }

    // Removal

    @Test
    void aRemovalIsForgottenAtOnceAndMadeUpForLater() {
        layer("base", "");
        snapshotter.remove(context, "base");
        assertThat(names()).isEmpty();
        backend.failBefore("remove", new UnavailableException("gone"));
        assertThatThrownBy(this::collect).isInstanceOf(UnavailableException.class);
        assertThat(backend.snapshots).hasSize(1);
        assertThat(collect()).isEqualTo(1);
        assertThat(backend.snapshots).isEmpty();
    }

    @Test
    void childrenAreRemovedBeforeTheirParents() {
        layer("base", "");
        layer("middle", "base");
        layer("top", "middle");
        assertThatThrownBy(() -> snapshotter.remove(context, "middle")).isInstanceOf(FailedPreconditionException.class);
        for (String name : List.of("top", "middle", "base")) {
            snapshotter.remove(context, name);
        }
        assertThat(collect()).isEqualTo(3);
        assertThat(backend.snapshots).isEmpty();
    }

    // Leases

    @Test
    void aLeaseFollowsASnapshotIntoItsCommit() {
        metadata.leases().create(NAMESPACE, "unpack", Map.of());
        CallContext leased = context.withLease("unpack");
        var _ = snapshotter.prepare(leased, "a", "", Map.of());
        assertThat(collect()).isZero();
        snapshotter.commit(leased, "layer", "a", Optional.empty(), Map.of());
        assertThat(metadata.leases().resources(NAMESPACE, "unpack"))
                .containsExactly(new LeaseResource("snapshots/map", "layer"));
        assertThat(collect()).isZero();
        assertThat(names()).containsExactly("layer");
        metadata.leases().delete(NAMESPACE, "unpack");
        assertThat(collect()).isEqualTo(1);
        assertThat(names()).isEmpty();
    }

    @Test
    void aCommitUnderALeaseIsKeptByItEvenIfThePrepareWasNot() {
        var _ = snapshotter.prepare(context, "a", "", Map.of());
        metadata.leases().create(NAMESPACE, "unpack", Map.of());
        snapshotter.commit(context.withLease("unpack"), "layer", "a", Optional.empty(), Map.of());
        assertThat(collect()).isZero();
        assertThat(names()).containsExactly("layer");
    }

    // Remote snapshots

    @Test
    void aRemoteSnapshotIsAdoptedWithoutUnpacking() {
        backend.put(Kind.COMMITTED, "remote", "", Map.of(REF, "chain"));
        backend.failBefore("prepare", new AlreadyExistsException("remote"));
        assertThatThrownBy(() -> snapshotter.prepare(context, "a", "", Map.of(REF, "chain")))
                .isInstanceOf(AlreadyExistsException.class)
                .hasMessageContaining("chain");
        SnapshotInfo adopted = snapshotter.stat(context, "chain");
        assertThat(adopted.kind()).isEqualTo(Kind.COMMITTED);
        assertThat(names()).containsExactly("chain");
        layer("top", "chain");
        assertThat(backend.snapshots.get("remote")).isNotNull();
    }

    @Test
    void aRemoteSnapshotOnAnotherParentIsRefused() {
        layer("base", "");
        backend.put(Kind.COMMITTED, "remote", "", Map.of(REF, "chain"));
        backend.failBefore("prepare", new AlreadyExistsException("remote"));
        assertThatThrownBy(() -> snapshotter.prepare(context, "a", "base", Map.of(REF, "chain")))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("base");
        assertThat(names()).containsExactly("base");
    }
}
