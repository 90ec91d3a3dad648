package dev.longshore.daemon.metadata;

import static dev.longshore.daemon.metadata.MetadataFixture.NAMESPACE;
import static dev.longshore.daemon.metadata.MetadataFixture.context;
import static dev.longshore.daemon.metadata.MetadataFixture.digest;
import static dev.longshore.daemon.metadata.MetadataFixture.image;
import static dev.longshore.daemon.metadata.MetadataFixture.list;
import static dev.longshore.daemon.metadata.MetadataFixture.write;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.metadata.MetadataFixture.HandClock;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.typeurl.TypedValue;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What each label and each lease keeps, and until when. */
final class GarbageSweepTest {

    private final CallContext context = context();
    private final HandClock clock = new HandClock();

    @TempDir
    private Path root;

    private MetadataStore metadata;
    private MetadataContentStore content;
    private MetadataSnapshotter snapshotter;

    @BeforeEach
    void open() throws Exception {
        metadata = MetadataStore.open(Files.createDirectories(root.resolve("meta")), clock, leavesGarbage -> {});
        content = metadata.content(new LocalContentStore(root.resolve("content"), clock), SharingPolicy.SHARED);
        snapshotter = metadata.snapshotter("map", new MapSnapshotter());
    }

    @AfterEach
    void close() {
        metadata.close();
    }

    private Digest blob(String text, Map<String, String> labels) {
        return write(content, context, text, labels);
    }

    private void snapshot(String name, String parent, Map<String, String> labels) {
        var _ = snapshotter.prepare(context, "extract " + name, parent, Map.of());
        snapshotter.commit(context, name, "extract " + name, Optional.empty(), labels);
    }

    private void container(String id, String snapshotKey, Map<String, String> labels) {
        var _ = metadata.containers()
                .create(
                        NAMESPACE,
                        new Container(
                                id,
                                "",
                                "io.containerd.runc.v2",
                                Optional.empty(),
                                Optional.of(new TypedValue("spec", new byte[0])),
                                snapshotKey.isEmpty() ? "" : "map",
                                snapshotKey,
                                "",
                                labels,
                                Map.of(),
                                Instant.EPOCH,
                                Instant.EPOCH));
    }

    private List<String> snapshots() {
        List<String> names = new ArrayList<>();
        snapshotter.list(context, List.of(), info -> names.add(info.name()));
        return names;
    }

    private GarbageSweep.Swept sweep() {
        return metadata.garbage().run();
    }

    private String in(Duration time) {
        return clock.instant().plus(time).toString();
    }

    // Roots

    @Test
    void whatNothingRefersToIsSwept() {
        blob("a", Map.of());
        snapshot("s", "", Map.of());
        assertThat(sweep()).isEqualTo(new GarbageSweep.Swept(1, 1, 0, 0, List.of()));
        assertThat(list(content, context)).isEmpty();
        assertThat(snapshots()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"containerd.io/gc.root", "containerd.io/gc.root.mine"})
    void aRootStays(String label) {
        Digest digest = blob("a", Map.of(label, "any"));
        snapshot("s", "", Map.of(label, "any"));
        assertThat(sweep().blobs()).isZero();
        assertThat(list(content, context)).containsExactly(digest);
        assertThat(snapshots()).containsExactly("s");
    }

    @Test
    void anImageKeepsItsTargetAndWhatThatRefersTo() {
        Digest layer = blob("layer", Map.of());
        Digest config = blob("config", Map.of("containerd.io/gc.ref.snapshot.map", "top"));
        Digest manifest = blob(
                "manifest",
                Map.of(
                        "containerd.io/gc.ref.content.config",
                        config.toString(),
                        "containerd.io/gc.ref.content.l.0",
                        layer.toString()));
        blob("unrelated", Map.of());
        snapshot("base", "", Map.of());
        snapshot("top", "base", Map.of());
        snapshot("beside", "base", Map.of());
        var _ = metadata.images().create(context, image("app", "manifest", Map.of()));

        assertThat(sweep().blobs()).isEqualTo(1);
        assertThat(list(content, context)).containsExactlyInAnyOrder(layer, config, manifest);
        assertThat(snapshots()).containsExactlyInAnyOrder("base", "top");

        var _ = metadata.images().delete(NAMESPACE, "app", Optional.empty());
        assertThat(sweep().blobs()).isEqualTo(3);
        assertThat(snapshots()).isEmpty();
    }

    @Test
    void aContainerKeepsItsSnapshot() {
        snapshot("base", "", Map.of());
        var _ = snapshotter.prepare(context, "rw", "base", Map.of());
        container(
                "c",
                "rw",
                Map.of("containerd.io/gc.ref.content", digest("checkpoint").toString()));
        Digest checkpoint = blob("checkpoint", Map.of());
        assertThat(sweep().snapshots()).isZero();
        assertThat(list(content, context)).containsExactly(checkpoint);
        metadata.containers().delete(NAMESPACE, "c");
        assertThat(sweep().snapshots()).isEqualTo(2);
    }

    // References

    @ParameterizedTest
    @CsvSource({
        "containerd.io/gc.ref.content,            true",
        "containerd.io/gc.ref.content.0,          true",
        "containerd.io/gc.ref.content/config,     true",
        "containerd.io/gc.ref.contents,           false",
        "containerd.io/gc.ref.container,          false",
        "containerd.io/gc.reference.content,      false",
    })
    void aReferenceToABlobHasItsForm(String label, boolean keeps) {
        Digest target = blob("target", Map.of());
        blob("root", Map.of("containerd.io/gc.root", "yes", label, target.toString()));
        sweep();
        assertThat(list(content, context).contains(target)).isEqualTo(keeps);
    }

    @ParameterizedTest
    @CsvSource({
        "containerd.io/gc.ref.snapshot.map,         true",
        "containerd.io/gc.ref.snapshot.map/0,       true",
        "containerd.io/gc.ref.snapshot.map.0,       false",
        "containerd.io/gc.ref.snapshot,             false",
        "containerd.io/gc.ref.snapshot.other,       false",
    })
    void aReferenceToASnapshotNamesItsSnapshotter(String label, boolean keeps) {
        snapshot("s", "", Map.of());
        blob("root", Map.of("containerd.io/gc.root", "yes", label, "s"));
        sweep();
        assertThat(snapshots().contains("s")).isEqualTo(keeps);
    }

    @Test
    void aReferenceKeepsAnImageThatHasExpired() {
        Digest manifest = blob("manifest", Map.of());
        var _ = metadata.images()
                .create(context, image("app", "manifest", Map.of("containerd.io/gc.expire", in(Duration.ofHours(-1)))));
        Digest keeper = blob("keeper", Map.of("containerd.io/gc.root", "yes", "containerd.io/gc.ref.image.app", "app"));
        assertThat(sweep().images()).isEmpty();
        content.delete(context, keeper);
        assertThat(sweep().images()).containsExactly(new GarbageSweep.RemovedImage(NAMESPACE, "app"));
        assertThat(list(content, context)).doesNotContain(manifest);
    }

    @Test
    void referencesThatGoRoundAreSweptTogether() {
        blob("a", Map.of("containerd.io/gc.ref.content", digest("b").toString()));
        blob("b", Map.of("containerd.io/gc.ref.content", digest("a").toString()));
        blob("self", Map.of("containerd.io/gc.ref.content", digest("self").toString()));
        assertThat(sweep().blobs()).isEqualTo(3);
    }

    @Test
    void referencesDoNotLeaveTheirNamespace() {
        CallContext other = CallContext.of("other", Duration.ofMinutes(1));
        write(content, other, "target", Map.of());
        blob(
                "root",
                Map.of(
                        "containerd.io/gc.root",
                        "yes",
                        "containerd.io/gc.ref.content",
                        digest("target").toString()));
        assertThat(sweep().blobs()).isEqualTo(1);
        assertThat(list(content, other)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "containerd.io/gc.bref.content,       manifest",
        "containerd.io/gc.bref.content.sbom,  manifest",
        "containerd.io/gc.bref.image,         app",
        "containerd.io/gc.bref.image/sbom,    app",
        "containerd.io/gc.bref.container,     c",
        "containerd.io/gc.bref.snapshot.map,  s",
    })
    void aBackReferenceTiesABlobToWhatItNames(String label, String name) {
        Digest manifest = blob("manifest", Map.of());
        var _ = metadata.images().create(context, image("app", "manifest", Map.of()));
        snapshot("s", "", Map.of());
        container("c", "s", Map.of());
        Digest sbom = blob("sbom", Map.of(label, name.equals("manifest") ? manifest.toString() : name));
        assertThat(sweep().blobs()).isZero();
        assertThat(list(content, context)).contains(sbom);
        metadata.containers().delete(NAMESPACE, "c");
        var _ = metadata.images().delete(NAMESPACE, "app", Optional.empty());
        sweep();
        assertThat(list(content, context)).doesNotContain(sbom);
    }

    // Conditions

    @ParameterizedTest
    @CsvSource({
        "containerd.io/gc.cond.snapshot.map,       usedat<2h|s,            true",
        "containerd.io/gc.cond.snapshot/map,       usedat<2h|s,            true",
        "containerd.io/gc.cond.snapshot.map/name,  usedat<2h|s,            true",
        "containerd.io/gc.cond.snapshot.map.x,     usedat<2h|s,            false",
        "containerd.io/gc.cond.snapshot.map,       usedat<30m|s,           false",
        "containerd.io/gc.cond.snapshot.map,       usedat<1h|s,            false",
        "containerd.io/gc.cond.snapshot.map,       usedat>1h|s,            false",
        "containerd.io/gc.cond.snapshot.map,       usedat>30m|s,           true",
        "containerd.io/gc.cond.snapshot.map,       'usedat<1m,usedat>30m|s', true",
        "containerd.io/gc.cond.snapshot.map,       'size=3,usedat>30m|s',  true",
        "containerd.io/gc.cond.snapshot.map,       usedat<=2h|s,           false",
        "containerd.io/gc.cond.snapshot.map,       usedat=1h|s,            false",
        "containerd.io/gc.cond.snapshot.map,       usedat<soon|s,          false",
        "containerd.io/gc.cond.snapshot.map,       usedat<2h,              false",
        "containerd.io/gc.cond.snapshot.map,       usedat<2h|other,        false",
    })
    void aConditionTiesABlobToASnapshotWhileItHolds(String label, String condition, boolean keeps) {
        snapshot(
                "s",
                "",
                Map.of("containerd.io/gc.root", "yes", "containerd.io/gc.cond.value-usedat", in(Duration.ofHours(-1))));
        Digest layer = blob("layer", Map.of(label, condition));
        sweep();
        assertThat(list(content, context).contains(layer)).isEqualTo(keeps);
    }

    // Leases

    @Test
    void aLeaseKeepsAllThatItNames() {
        Digest child = blob("child", Map.of());
        Digest digest = blob("a", Map.of("containerd.io/gc.ref.content", child.toString()));
        snapshot("base", "", Map.of());
        snapshot(
                "s",
                "base",
                Map.of("containerd.io/gc.ref.content", digest("by snapshot").toString()));
        Digest bySnapshot = blob("by snapshot", Map.of());
        metadata.leases().create(NAMESPACE, "l", Map.of());
        metadata.leases().add(NAMESPACE, "l", new LeaseResource("content", digest.toString()));
        metadata.leases().add(NAMESPACE, "l", new LeaseResource("snapshots/map", "s"));
        metadata.leases()
                .add(
                        NAMESPACE,
                        "l",
                        new LeaseResource("content", digest("not there").toString()));
        assertThat(sweep().blobs()).isZero();
        assertThat(list(content, context)).containsExactlyInAnyOrder(child, digest, bySnapshot);
        assertThat(snapshots()).containsExactlyInAnyOrder("base", "s");
    }

    @Test
    void aFlatLeaseKeepsWhatItNamesAndItsParentsOnly() {
        Digest child = blob("child", Map.of());
        Digest digest = blob("a", Map.of("containerd.io/gc.ref.content", child.toString()));
        Digest back = blob("back", Map.of("containerd.io/gc.bref.content", digest.toString()));
        Digest bySnapshot = blob("by snapshot", Map.of());
        snapshot("base", "", Map.of());
        snapshot("s", "base", Map.of("containerd.io/gc.ref.content", bySnapshot.toString()));
        metadata.leases().create(NAMESPACE, "l", Map.of("containerd.io/gc.flat", "yes"));
        metadata.leases().add(NAMESPACE, "l", new LeaseResource("content", digest.toString()));
        metadata.leases().add(NAMESPACE, "l", new LeaseResource("snapshots/map", "s"));
        assertThat(sweep().blobs()).isEqualTo(3);
        assertThat(list(content, context)).containsExactly(digest).doesNotContain(child, back, bySnapshot);
        assertThat(snapshots()).containsExactlyInAnyOrder("base", "s");
    }

    @Test
    void aFlatLeaseOfAnImageKeepsItsTargetOnly() {
        Digest layer = blob("layer", Map.of());
        Digest manifest = blob("manifest", Map.of("containerd.io/gc.ref.content", layer.toString()));
        metadata.leases().create(NAMESPACE, "l", Map.of("containerd.io/gc.flat", "yes"));
        var _ = metadata.images()
                .create(
                        context.withLease("l"),
                        image("app", "manifest", Map.of("containerd.io/gc.expire", in(Duration.ofHours(-1)))));
        assertThat(sweep().images()).isEmpty();
        assertThat(list(content, context)).containsExactly(manifest);
    }

    @Test
    void aBlobThatIsReferredToBesidesAFlatLeaseKeepsAll() {
        Digest child = blob("child", Map.of());
        Digest digest = blob("a", Map.of("containerd.io/gc.ref.content", child.toString()));
        metadata.leases().create(NAMESPACE, "flat", Map.of("containerd.io/gc.flat", "yes"));
        metadata.leases().add(NAMESPACE, "flat", new LeaseResource("content", digest.toString()));
        metadata.leases().create(NAMESPACE, "full", Map.of());
        metadata.leases().add(NAMESPACE, "full", new LeaseResource("content", digest.toString()));
        sweep();
        assertThat(list(content, context)).containsExactlyInAnyOrder(child, digest);
    }

    @Test
    void aLeaseEndsWhenItsTimeHasPassed() {
        Digest digest = blob("a", Map.of());
        metadata.leases().create(NAMESPACE, "l", Map.of("containerd.io/gc.expire", in(Duration.ofHours(1))));
        metadata.leases().add(NAMESPACE, "l", new LeaseResource("content", digest.toString()));
        assertThat(sweep().leases()).isZero();
        clock.forward(Duration.ofMinutes(61));
        assertThat(sweep()).isEqualTo(new GarbageSweep.Swept(0, 1, 1, 0, List.of()));
        assertThat(metadata.leases().list(NAMESPACE, List.of())).isEmpty();
    }

    @Test
    void aTimeThatIsNoneEndsNothing() {
        metadata.leases().create(NAMESPACE, "l", Map.of("containerd.io/gc.expire", "tomorrow"));
        var _ = metadata.images().create(context, image("app", "manifest", Map.of("containerd.io/gc.expire", "never")));
        clock.forward(Duration.ofDays(10_000));
        assertThat(sweep()).isEqualTo(new GarbageSweep.Swept(0, 0, 0, 0, List.of()));
    }

    @Test
    void anImageEndsWhenItsTimeHasPassed() {
        Digest manifest = blob("manifest", Map.of());
        var _ = metadata.images()
                .create(context, image("app", "manifest", Map.of("containerd.io/gc.expire", in(Duration.ofHours(1)))));
        assertThat(sweep().images()).isEmpty();
        clock.forward(Duration.ofMinutes(61));
        assertThat(sweep().images()).containsExactly(new GarbageSweep.RemovedImage(NAMESPACE, "app"));
        assertThat(list(content, context)).doesNotContain(manifest);
    }

    @Test
    void anIngestIsKeptForADayOrAsLongAsItsLease() {
        metadata.leases().create(NAMESPACE, "l", Map.of());
        content.writer(context, new WriterRequest("free", 0, Optional.empty())).close();
        content.writer(context.withLease("l"), new WriterRequest("leased", 0, Optional.empty()))
                .close();
        clock.forward(Duration.ofHours(23));
        assertThat(sweep().ingests()).isZero();
        clock.forward(Duration.ofHours(2));
        assertThat(sweep().ingests()).isEqualTo(1);
        assertThat(content.statuses(context, List.of()))
                .extracting(IngestStatus::ref)
                .containsExactly("leased");
        metadata.leases().delete(NAMESPACE, "l");
        assertThat(sweep().ingests()).isEqualTo(1);
    }
}
