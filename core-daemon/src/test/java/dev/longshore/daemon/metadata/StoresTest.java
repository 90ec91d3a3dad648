package dev.longshore.daemon.metadata;

import static dev.longshore.daemon.metadata.MetadataFixture.NAMESPACE;
import static dev.longshore.daemon.metadata.MetadataFixture.context;
import static dev.longshore.daemon.metadata.MetadataFixture.digest;
import static dev.longshore.daemon.metadata.MetadataFixture.image;
import static dev.longshore.daemon.metadata.MetadataFixture.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.metadata.MetadataFixture.HandClock;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.typeurl.TypedValue;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images, containers, leases and namespaces: masks, filters, limits, and what a restart leaves. */
final class StoresTest {

    private static final Map<String, String> BIG = Map.of("key", "v".repeat(4094));

    private final CallContext context = context();
    private final HandClock clock = new HandClock();

    @TempDir
    private Path root;

    private MetadataStore metadata;

    @BeforeEach
    void open() {
        metadata = MetadataStore.open(root, clock, leavesGarbage -> {});
    }

    @AfterEach
    void close() {
        metadata.close();
    }

    private void restart() {
        metadata.close();
        open();
    }

    private static TypedValue typed(String text) {
        return new TypedValue("type.of/" + text, MetadataFixture.bytes(text));
    }

    // Images

    @Test
    void anImageIsGotAsItWasCreatedAndAfterARestart() {
        Image wanted = new Image(
                "registry.example/app:1",
                new Descriptor("media/type", digest("m"), 42, Map.of("a", "line\nwith = and \\")),
                Map.of("label=with\\odd\ncharacters", "v=1\n2\\n"),
                Instant.EPOCH,
                Instant.EPOCH);
        Image created = metadata.images().create(context, wanted);
        assertThat(created.created()).isEqualTo(clock.instant()).isEqualTo(created.updated());
        assertThat(created.target()).isEqualTo(wanted.target());
        assertThat(created.labels()).isEqualTo(wanted.labels());
        restart();
        assertThat(metadata.images().get(NAMESPACE, "registry.example/app:1")).isEqualTo(created);
    }

    @Test
    void anImageIsCreatedOnce() {
        Image first = metadata.images().create(context, image("app", "one", Map.of()));
        assertThatThrownBy(() -> metadata.images().create(context, image("app", "two", Map.of())))
                .isInstanceOf(AlreadyExistsException.class)
                .hasMessageContaining("app");
        assertThat(metadata.images().get(NAMESPACE, "app")).isEqualTo(first);
    }

    @Test
    void anImageIsOfItsNamespace() {
        var _ = metadata.images().create(context, image("app", "one", Map.of()));
        NamespaceId other = new NamespaceId("other");
        assertThatThrownBy(() -> metadata.images().get(other, "app")).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> metadata.images().delete(other, "app", Optional.empty()))
                .isInstanceOf(NotFoundException.class);
        assertThat(metadata.images().list(other, List.of())).isEmpty();
    }

    @Test
    void anImageMustBeWhole() {
        for (Image bad : List.of(
                image("", "m", Map.of()),
                image("app", "m", BIG),
                new Image("app", new Descriptor("", digest("m"), 10), Map.of(), Instant.EPOCH, Instant.EPOCH),
                new Image("app", new Descriptor("media/type", digest("m"), 0), Map.of(), Instant.EPOCH, Instant.EPOCH),
                new Image(
                        "app",
                        new Descriptor("media/type", digest("m"), 1, BIG),
                        Map.of(),
                        Instant.EPOCH,
                        Instant.EPOCH))) {
            assertThatThrownBy(() -> metadata.images().create(context, bad))
                    .isInstanceOf(InvalidArgumentException.class);
        }
        assertThat(metadata.images().list(NAMESPACE, List.of())).isEmpty();
    }

    @Test
    void anUpdateOfAnImageChangesWhatItsMaskNames() {
        Image created = metadata.images().create(context, image("app", "one", Map.of("a", "1", "b.c/d", "2")));
        clock.forward(Duration.ofMinutes(1));
        Image wanted = image("app", "two", Map.of("a", "9", "b.c/d", "8", "e", "7"));

        Image label = metadata.images().update(context, wanted, List.of("labels.b.c/d"));
        assertThat(label.labels()).isEqualTo(Map.of("a", "1", "b.c/d", "8"));
        assertThat(label.target()).isEqualTo(created.target());
        assertThat(label.created()).isEqualTo(created.created());
        assertThat(label.updated()).isEqualTo(clock.instant());

        assertThat(metadata.images()
                        .update(context, image("app", "x", Map.of()), List.of("labels.a"))
                        .labels())
                .as("a label that is missing in the request is deleted")
                .isEqualTo(Map.of("b.c/d", "8"));
        assertThat(metadata.images().update(context, wanted, List.of("target")))
                .returns(wanted.target(), Image::target)
                .returns(Map.of("b.c/d", "8"), Image::labels);
        assertThat(metadata.images().update(context, wanted, List.of())).returns(wanted.labels(), Image::labels);
        assertThatThrownBy(() -> metadata.images().update(context, wanted, List.of("name")))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("name");
        assertThatThrownBy(() -> metadata.images().update(context, image("app", "x", BIG), List.of("labels")))
                .isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> metadata.images().update(context, image("other", "x", Map.of()), List.of()))
                .isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> metadata.images().update(context, image("", "x", Map.of()), List.of()))
                .isInstanceOf(InvalidArgumentException.class);
        restart();
        assertThat(metadata.images().get(NAMESPACE, "app").labels()).isEqualTo(wanted.labels());
    }

    @Test
    void annotationsOfAnImageAreUpdatedByMask() {
        var _ = metadata.images().create(context, image("app", "one", Map.of()));
        Image wanted = new Image(
                "app",
                new Descriptor("media/type", digest("two"), 1, Map.of("a.b", "1", "c", "2")),
                Map.of(),
                Instant.EPOCH,
                Instant.EPOCH);
        assertThat(metadata.images()
                        .update(context, wanted, List.of("annotations.a.b"))
                        .target())
                .returns(Map.of("a.b", "1"), Descriptor::annotations)
                .returns(digest("one"), Descriptor::digest);
        assertThat(metadata.images()
                        .update(context, wanted, List.of("annotations"))
                        .target()
                        .annotations())
                .isEqualTo(wanted.target().annotations());
    }

    @Test
    void imagesAreListedByNameAndFiltersChoose() {
        var _ = metadata.images().create(context, image("b:1", "one", Map.of("tier", "web")));
        var _ = metadata.images().create(context, image("a:1", "two", Map.of("tier", "db", "dotted.key", "x")));
        assertThat(metadata.images().list(NAMESPACE, List.of()))
                .extracting(Image::name)
                .containsExactly("a:1", "b:1");
        assertThat(names("name==\"b:1\"")).containsExactly("b:1");
        assertThat(names("labels.tier==db")).containsExactly("a:1");
        assertThat(names("labels.\"dotted.key\"==x")).containsExactly("a:1");
        assertThat(names("target.digest==\"" + digest("one") + "\"")).containsExactly("b:1");
        assertThat(names("labels.tier==none", "name~=|^a|")).containsExactly("a:1");
        assertThat(names("labels.tier==web,name~=|^a|")).isEmpty();
        assertThatThrownBy(() -> names("name=")).isInstanceOf(InvalidArgumentException.class);
    }

    private List<String> names(String... filters) {
        return metadata.images().list(NAMESPACE, List.of(filters)).stream()
                .map(Image::name)
                .toList();
    }

    @Test
    void anImageIsDeletedWhileItNamesTheTargetOnly() {
        var _ = metadata.images().create(context, image("app", "one", Map.of()));
        assertThatThrownBy(() -> metadata.images().delete(NAMESPACE, "app", Optional.of(digest("two"))))
                .isInstanceOf(NotFoundException.class);
        assertThat(metadata.images()
                        .delete(NAMESPACE, "app", Optional.of(digest("one")))
                        .name())
                .isEqualTo("app");
        assertThatThrownBy(() -> metadata.images().delete(NAMESPACE, "app", Optional.empty()))
                .isInstanceOf(NotFoundException.class);
    }

    @Test
    void aLeaseTakesAnImageOnlyIfThatCanExpire() {
        metadata.leases().create(NAMESPACE, "l", Map.of());
        CallContext leased = context.withLease("l");
        var _ = metadata.images().create(leased, image("stays", "one", Map.of()));
        assertThat(metadata.leases().resources(NAMESPACE, "l")).isEmpty();
        var _ = metadata.images()
                .create(leased, image("goes", "one", Map.of("containerd.io/gc.expire", "2030-01-01T00:00:00Z")));
        assertThat(metadata.leases().resources(NAMESPACE, "l")).containsExactly(new LeaseResource("images", "goes"));
        var _ = metadata.images().delete(NAMESPACE, "goes", Optional.empty());
        assertThat(metadata.leases().resources(NAMESPACE, "l")).isEmpty();
    }

    @Test
    void aLabelWithoutAValueIsNone() {
        var _ = metadata.images().create(context, image("app", "one", Map.of("a", "", "b", "1")));
        assertThat(metadata.images().get(NAMESPACE, "app").labels()).isEqualTo(Map.of("b", "1"));
    }

    // Containers

    private static Container container(String id) {
        return new Container(
                id,
                "app",
                "io.containerd.runc.v2",
                Optional.of(typed("options")),
                Optional.of(typed("spec")),
                "overlayfs",
                "snapshot of " + id,
                "sandbox",
                Map.of("tier", "web"),
                Map.of("e1", typed("one"), "e2", typed("two")),
                Instant.EPOCH,
                Instant.EPOCH);
    }

    private static Container changed(Container c, String runtime, String snapshotter) {
        return new Container(
                c.id(),
                "other",
                runtime,
                Optional.of(typed("other options")),
                Optional.of(typed("other spec")),
                snapshotter,
                "other key",
                "other sandbox",
                Map.of("tier", "db", "new", "1"),
                Map.of("e2", typed("2"), "e3", typed("3")),
                Instant.EPOCH,
                Instant.EPOCH);
    }

    @Test
    void aContainerIsGotAsItWasCreatedAndAfterARestart() {
        Container created = metadata.containers().create(NAMESPACE, container("c"));
        assertThat(created.created()).isEqualTo(clock.instant());
        restart();
        assertThat(metadata.containers().get(NAMESPACE, "c")).isEqualTo(created);
        assertThatThrownBy(() -> metadata.containers().create(NAMESPACE, container("c")))
                .isInstanceOf(AlreadyExistsException.class);
        assertThatThrownBy(() -> metadata.containers().get(new NamespaceId("other"), "c"))
                .isInstanceOf(NotFoundException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a b", "a/b", "..", "-a", "a-", "a..b", "\u00fc"})
    void anIdThatIsNoneIsRefused(String id) {
        assertThatThrownBy(() -> metadata.containers().create(NAMESPACE, container(id)))
                .isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void anUpdateOfAContainerChangesWhatItsMaskNames() {
        Container created = metadata.containers().create(NAMESPACE, container("c"));
        Container wanted = changed(created, "ignored", "ignored");
        ContainerStore containers = metadata.containers();

        assertThat(containers.update(NAMESPACE, wanted, List.of("image")))
                .returns("other", Container::image)
                .returns(created.spec(), Container::spec)
                .returns(created.labels(), Container::labels);
        assertThat(containers.update(NAMESPACE, wanted, List.of("spec")).spec()).isEqualTo(wanted.spec());
        assertThat(containers.update(NAMESPACE, wanted, List.of("snapshotkey")).snapshotKey())
                .isEqualTo("other key");
        assertThat(containers.update(NAMESPACE, wanted, List.of("labels.new")).labels())
                .isEqualTo(Map.of("tier", "web", "new", "1"));
        assertThat(containers
                        .update(NAMESPACE, wanted, List.of("extensions.e3", "extensions.e1"))
                        .extensions())
                .isEqualTo(Map.of("e2", typed("two"), "e3", typed("3")));
        assertThat(containers.update(NAMESPACE, wanted, List.of("extensions")).extensions())
                .isEqualTo(wanted.extensions());
        restart();
        assertThat(metadata.containers().get(NAMESPACE, "c"))
                .returns(created.runtime(), Container::runtime)
                .returns(created.options(), Container::options)
                .returns(created.sandbox(), Container::sandbox)
                .returns("overlayfs", Container::snapshotter)
                .returns(wanted.extensions(), Container::extensions);
    }

    @ParameterizedTest
    @ValueSource(strings = {"runtime", "runtime.name", "snapshotter", "sandbox", "id", "created_at", ""})
    void whatCannotBeChangedIsRefused(String path) {
        Container created = metadata.containers().create(NAMESPACE, container("c"));
        assertThatThrownBy(() -> metadata.containers()
                        .update(NAMESPACE, changed(created, created.runtime(), "overlayfs"), List.of(path)))
                .isInstanceOf(InvalidArgumentException.class);
        assertThat(metadata.containers().get(NAMESPACE, "c")).isEqualTo(created);
    }

    @Test
    void anUpdateWithoutAMaskReplacesAllAndMustNotChangeTheRest() {
        Container created = metadata.containers().create(NAMESPACE, container("c"));
        clock.forward(Duration.ofMinutes(1));
        for (Container bad : List.of(
                changed(created, "io.containerd.other.v1", "overlayfs"),
                changed(created, created.runtime(), "native"))) {
            assertThatThrownBy(() -> metadata.containers().update(NAMESPACE, bad, List.of()))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("cannot be changed");
        }
        Container wanted = changed(created, created.runtime(), "overlayfs");
        assertThat(metadata.containers().update(NAMESPACE, wanted, List.of()))
                .returns("other", Container::image)
                .returns(wanted.labels(), Container::labels)
                .returns(wanted.extensions(), Container::extensions)
                .returns(created.created(), Container::created)
                .returns(clock.instant(), Container::updated);
    }

    @Test
    void containersAreListedAndFiltersChoose() {
        for (String id : List.of("b", "a", "c")) {
            var _ = metadata.containers().create(NAMESPACE, container(id));
        }
        assertThat(ids()).containsExactly("a", "b", "c");
        assertThat(ids("id==b")).containsExactly("b");
        assertThat(ids("runtime.name==io.containerd.runc.v2")).hasSize(3);
        assertThat(ids("image==app,id!=a")).containsExactly("b", "c");
        assertThat(ids("labels.tier==db")).isEmpty();
        assertThat(ids("labels.tier")).hasSize(3);
        metadata.containers().delete(NAMESPACE, "b");
        assertThat(ids()).containsExactly("a", "c");
        assertThatThrownBy(() -> metadata.containers().delete(NAMESPACE, "b")).isInstanceOf(NotFoundException.class);
    }

    private List<String> ids(String... filters) {
        return metadata.containers().list(NAMESPACE, List.of(filters)).stream()
                .map(Container::id)
                .toList();
    }

    // Leases

    @Test
    void aLeaseKeepsItsResourcesOverARestart() {
        Lease lease = metadata.leases().create(NAMESPACE, "l 1/any form", Map.of("a", "1"));
        LeaseResource blob = new LeaseResource("content", digest("x").toString());
        LeaseResource snapshot = new LeaseResource("snapshots/overlayfs", "key");
        metadata.leases().add(NAMESPACE, lease.id(), blob);
        metadata.leases().add(NAMESPACE, lease.id(), blob);
        metadata.leases().add(NAMESPACE, lease.id(), snapshot);
        restart();
        assertThat(metadata.leases().list(NAMESPACE, List.of("labels.a==1"))).containsExactly(lease);
        assertThat(metadata.leases().list(NAMESPACE, List.of("id==other"))).isEmpty();
        assertThat(metadata.leases().resources(NAMESPACE, lease.id())).containsExactlyInAnyOrder(blob, snapshot);
        metadata.leases().remove(NAMESPACE, lease.id(), blob);
        assertThat(metadata.leases().resources(NAMESPACE, lease.id())).containsExactly(snapshot);
        metadata.leases().delete(NAMESPACE, lease.id());
        assertThatThrownBy(() -> metadata.leases().resources(NAMESPACE, lease.id()))
                .isInstanceOf(NotFoundException.class);
    }

    @Test
    void leasesAreRefusedThatAreNone() {
        assertThatThrownBy(() -> metadata.leases().create(NAMESPACE, "", Map.of()))
                .isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> metadata.leases().create(NAMESPACE, "x".repeat(2000), Map.of()))
                .isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> metadata.leases().create(NAMESPACE, "l", BIG))
                .isInstanceOf(InvalidArgumentException.class);
        metadata.leases().create(NAMESPACE, "l", Map.of());
        assertThatThrownBy(() -> metadata.leases().create(NAMESPACE, "l", Map.of()))
                .isInstanceOf(AlreadyExistsException.class);
        assertThatThrownBy(() -> metadata.leases().delete(new NamespaceId("other"), "l"))
                .isInstanceOf(NotFoundException.class);
    }

    @Test
    void resourcesAreRefusedThatAreNone() {
        assertThatThrownBy(() -> new LeaseResource("content", "no digest"))
                .isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> new LeaseResource("images", "")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> new LeaseResource("snapshots/", "key")).isInstanceOf(UnimplementedException.class);
        assertThatThrownBy(() -> new LeaseResource("mounts", "key")).isInstanceOf(UnimplementedException.class);
        LeaseResource resource = new LeaseResource("images", "app");
        assertThatThrownBy(() -> metadata.leases().add(NAMESPACE, "gone", resource))
                .isInstanceOf(NotFoundException.class);
    }

    // Namespaces

    @Test
    void aNamespaceComesWithItsFirstObject() {
        assertThat(metadata.namespaces().list()).isEmpty();
        var _ = metadata.images().create(context, image("app", "one", Map.of()));
        assertThat(metadata.namespaces().list()).containsExactly(new Namespace(NAMESPACE, Map.of()));
        assertThatThrownBy(() -> metadata.namespaces().create(new Namespace(NAMESPACE, Map.of())))
                .isInstanceOf(AlreadyExistsException.class);
    }

    @Test
    void labelsOfANamespaceAreUpdatedByMask() {
        metadata.namespaces().create(new Namespace(NAMESPACE, Map.of("a", "1", "b", "2")));
        assertThat(metadata.namespaces()
                        .update(NAMESPACE, Map.of("a", "9", "b", "8"), List.of("labels.a"))
                        .labels())
                .isEqualTo(Map.of("a", "9", "b", "2"));
        assertThatThrownBy(() -> metadata.namespaces().update(NAMESPACE, Map.of(), List.of("name")))
                .isInstanceOf(InvalidArgumentException.class);
        restart();
        assertThat(metadata.namespaces().get(NAMESPACE).labels()).isEqualTo(Map.of("a", "9", "b", "2"));
        assertThatThrownBy(() -> metadata.namespaces().update(new NamespaceId("other"), Map.of(), List.of()))
                .isInstanceOf(NotFoundException.class);
    }

    @Test
    void aNamespaceThatIsNotThereYetHasNoLabelsAndIsNotMadeByAsking() {
        assertThat(metadata.namespaces().get(NAMESPACE)).isEqualTo(new Namespace(NAMESPACE, Map.of()));
        assertThat(metadata.namespaces().list()).isEmpty();
    }

    @Test
    void aNamespaceThatIsNotEmptyIsNotDeletedAndSaysWhy() throws Exception {
        MetadataContentStore content =
                metadata.content(new LocalContentStore(root.resolve("content"), clock), SharingPolicy.SHARED);
        MetadataSnapshotter snapshotter = metadata.snapshotter("map", new MapSnapshotter());
        var _ = metadata.images().create(context, image("app", "one", Map.of()));
        var _ = write(content, context, "one", Map.of());
        var _ = metadata.containers().create(NAMESPACE, container("c"));
        var _ = snapshotter.prepare(context, "s", "", Map.of());
        assertThatThrownBy(() -> metadata.namespaces().delete(NAMESPACE))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("images, blobs, containers, snapshots on \"map\" snapshotter");
        var _ = metadata.images().delete(NAMESPACE, "app", Optional.empty());
        content.delete(context, digest("one"));
        metadata.containers().delete(NAMESPACE, "c");
        assertThatThrownBy(() -> metadata.namespaces().delete(NAMESPACE)).hasMessageContaining("still has snapshots");
        snapshotter.remove(context, "s");
        // Leases and ingests go with it.
        metadata.leases().create(NAMESPACE, "l", Map.of());
        content.writer(context, new WriterRequest("r", 0, Optional.empty())).close();
        metadata.namespaces().delete(NAMESPACE);
        assertThat(metadata.namespaces().list()).isEmpty();
        assertThat(metadata.leases().list(NAMESPACE, List.of())).isEmpty();
        assertThat(content.statuses(context, List.of())).isEmpty();
        assertThatThrownBy(() -> metadata.namespaces().delete(NAMESPACE)).isInstanceOf(NotFoundException.class);
    }

    // The database

    @Test
    void aDamagedDatabaseIsSaidToBeOne() throws Exception {
        metadata.close();
        Files.write(
                root.resolve("metadata.db"),
                "no database at all, but long enough to be looked at"
                        .repeat(100)
                        .getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> MetadataStore.open(root, clock, leavesGarbage -> {}))
                .isInstanceOf(DataLossException.class)
                .hasMessageContaining("restore");
        Files.delete(root.resolve("metadata.db"));
        open();
    }
}
