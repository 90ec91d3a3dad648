package dev.longshore.daemon.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Empty;
import com.google.protobuf.FieldMask;
import com.google.protobuf.Timestamp;
import dev.longshore.api.events.ContentCreate;
import dev.longshore.api.events.ImageCreate;
import dev.longshore.api.events.TaskExit;
import dev.longshore.api.services.content.v1.ContentGrpc;
import dev.longshore.api.services.content.v1.InfoRequest;
import dev.longshore.api.services.content.v1.ReadContentRequest;
import dev.longshore.api.services.content.v1.ReadContentResponse;
import dev.longshore.api.services.events.v1.EventsGrpc;
import dev.longshore.api.services.events.v1.ForwardRequest;
import dev.longshore.api.services.events.v1.PublishRequest;
import dev.longshore.api.services.events.v1.SubscribeRequest;
import dev.longshore.api.services.images.v1.CreateImageRequest;
import dev.longshore.api.services.images.v1.DeleteImageRequest;
import dev.longshore.api.services.images.v1.GetImageRequest;
import dev.longshore.api.services.images.v1.Image;
import dev.longshore.api.services.images.v1.ImagesGrpc;
import dev.longshore.api.services.images.v1.UpdateImageRequest;
import dev.longshore.api.services.introspection.v1.IntrospectionGrpc;
import dev.longshore.api.services.introspection.v1.Plugin;
import dev.longshore.api.services.introspection.v1.PluginInfoRequest;
import dev.longshore.api.services.introspection.v1.PluginsRequest;
import dev.longshore.api.services.leases.v1.CreateRequest;
import dev.longshore.api.services.leases.v1.DeleteRequest;
import dev.longshore.api.services.leases.v1.LeasesGrpc;
import dev.longshore.api.services.namespaces.v1.CreateNamespaceRequest;
import dev.longshore.api.services.namespaces.v1.DeleteNamespaceRequest;
import dev.longshore.api.services.namespaces.v1.ListNamespacesRequest;
import dev.longshore.api.services.namespaces.v1.Namespace;
import dev.longshore.api.services.namespaces.v1.NamespacesGrpc;
import dev.longshore.api.services.version.v1.VersionGrpc;
import dev.longshore.api.types.Descriptor;
import dev.longshore.api.types.Envelope;
import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.event.EventExchange;
import dev.longshore.daemon.gc.GarbageCollector;
import dev.longshore.daemon.gc.GarbageCollector.Backend;
import dev.longshore.daemon.gc.GcConfig;
import dev.longshore.daemon.metadata.MetadataContentStore;
import dev.longshore.daemon.metadata.MetadataStore;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.daemon.service.IntrospectionService.ServerIdentity;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.OutOfRangeException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.proxy.ProxyContentStore;
import dev.longshore.transport.serve.ContentService;
import io.grpc.ManagedChannel;
import io.grpc.stub.AbstractBlockingStub;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The services as their clients see them: over a socket, with headers, masks and errors, and the events that they publish. */
final class ServicesIT {

    private static final String MANIFEST = "application/vnd.oci.image.manifest.v1+json";

    private final CallContext context = CallContext.of("test", Duration.ofMinutes(1));

    @TempDir
    private Path root;

    private MetadataStore metadata;
    private GarbageCollector collector;
    private AutoCloseable server;
    private UnixChannels channels;
    private ManagedChannel channel;
    private ContentStore content;

    @BeforeEach
    void open() throws Exception {
        Clock clock = Clock.systemUTC();
        EventExchange exchange = new EventExchange(clock, EventProtos::fields);
        EventPublisher events = new EventPublisher(exchange);
        metadata = MetadataStore.open(Files.createDirectory(root.resolve("meta")), clock, leavesGarbage -> {});
        MetadataContentStore stored =
                metadata.content(new LocalContentStore(root.resolve("content"), clock), SharingPolicy.SHARED);
        collector = new GarbageCollector(
                new GcConfig(0.5, 0, 0, Duration.ZERO, Duration.ofDays(1)),
                () -> {
                    var _ = metadata.garbage().run();
                },
                () -> List.of(new Backend("content", stored::removeGarbage)));
        collector.start();
        List<dev.longshore.daemon.plugin.Plugin> plugins = List.of(
                dev.longshore.daemon.plugin.Plugin.builtIn("io.containerd.metadata.v1", "bolt"),
                new dev.longshore.daemon.plugin.Plugin(
                        "io.containerd.snapshotter.v1",
                        "broken",
                        List.of("io.containerd.metadata.v1"),
                        List.of("linux/arm64/v8"),
                        Map.of("root", "/somewhere"),
                        List.of("rebase"),
                        () -> Optional.of(new UnavailableException("cannot be reached"))));
        server = new GrpcServices(new SimpleMeterRegistry(), List.of())
                .add("version", new VersionService("1.2.3"))
                .add("namespaces", new NamespacesService(metadata.namespaces(), events))
                .add("leases", new LeasesService(metadata.leases(), collector::collect))
                .add("content", new ContentService(new PublishingContentStore(stored, events)))
                .add("images", new ImagesService(metadata.images(), events, collector::collect))
                .add("events", new EventsService(exchange, envelope -> {}))
                .add(
                        "introspection",
                        new IntrospectionService(
                                () -> plugins, new ServerIdentity("the-uuid", 42, 4711), (call, options) -> {
                                    throw new NotFoundException("no runtime here");
                                }))
                .listen(root.resolve("a.sock"), 0, 0, 16 << 20, 16 << 20);
        channels = new UnixChannels();
        channel = channels.open(root.resolve("a.sock"), List.of());
        content = new ProxyContentStore(channel);
    }

    @AfterEach
    void close() throws Exception {
        channel.shutdownNow();
        server.close();
        channels.close();
        collector.close();
        metadata.close();
    }

    private <S extends AbstractBlockingStub<S>> S stub(S stub) {
        return CallContexts.send(stub, context);
    }

    private static <T> T call(Supplier<T> call) {
        return Unary.call(call);
    }

    private Digest write(String text, Map<String, String> labels) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        try (ContentWriter writer = content.writer(context, new WriterRequest("write " + text, 0, Optional.empty()))) {
            writer.write(ByteBuffer.wrap(bytes));
            writer.commit(bytes.length, Optional.empty(), labels);
            return writer.digest();
        }
    }

    private static Image image(String name, Digest target) {
        return Image.newBuilder()
                .setName(name)
                .setTarget(Descriptor.newBuilder()
                        .setMediaType(MANIFEST)
                        .setDigest(target.toString())
                        .setSize(10))
                .build();
    }

    private Image create(Image image) {
        return call(() -> stub(ImagesGrpc.newBlockingStub(channel))
                        .create(CreateImageRequest.newBuilder().setImage(image).build()))
                .getImage();
    }

    // Version and introspection

    @Test
    void versionIsTold() {
        assertThat(call(() -> VersionGrpc.newBlockingStub(channel).version(Empty.getDefaultInstance()))
                        .getVersion())
                .isEqualTo("1.2.3");
    }

    @Test
    void theServerSaysWhoItIs() {
        var answer = call(() -> IntrospectionGrpc.newBlockingStub(channel).server(Empty.getDefaultInstance()));
        assertThat(answer.getUuid()).isEqualTo("the-uuid");
        assertThat(answer.getPid()).isEqualTo(42);
        assertThat(answer.getPidns()).isEqualTo(4711);
    }

    @Test
    void pluginsAreListedWithWhatIsWrongWithThem() {
        List<Plugin> all = plugins();
        assertThat(all).extracting(Plugin::getId).containsExactly("bolt", "broken");
        assertThat(all.get(0).hasInitErr()).isFalse();
        Plugin broken = all.get(1);
        assertThat(broken.getInitErr().getCode()).isEqualTo(14);
        assertThat(broken.getInitErr().getMessage()).isEqualTo("cannot be reached");
        assertThat(broken.getPlatforms(0).getOs()).isEqualTo("linux");
        assertThat(broken.getPlatforms(0).getArchitecture()).isEqualTo("arm64");
        assertThat(broken.getPlatforms(0).getVariant()).isEqualTo("v8");
        assertThat(broken.getExportsMap()).containsEntry("root", "/somewhere");
        assertThat(broken.getCapabilitiesList()).containsExactly("rebase");
        assertThat(plugins("type==io.containerd.snapshotter.v1"))
                .extracting(Plugin::getId)
                .containsExactly("broken");
        assertThatThrownBy(() -> plugins("type==")).isInstanceOf(InvalidArgumentException.class);
    }

    private List<Plugin> plugins(String... filters) {
        return call(() -> IntrospectionGrpc.newBlockingStub(channel)
                        .plugins(PluginsRequest.newBuilder()
                                .addAllFilters(List.of(filters))
                                .build()))
                .getPluginsList();
    }

    @Test
    void infoOfAPluginIsTold() {
        var stub = IntrospectionGrpc.newBlockingStub(channel);
        assertThat(call(() -> stub.pluginInfo(PluginInfoRequest.newBuilder()
                                .setType("io.containerd.metadata.v1")
                                .setId("bolt")
                                .build()))
                        .getPlugin()
                        .getId())
                .isEqualTo("bolt");
        assertThatThrownBy(() -> call(() -> stub.pluginInfo(PluginInfoRequest.newBuilder()
                        .setType("io.containerd.metadata.v1")
                        .setId("other")
                        .build())))
                .isInstanceOf(NotFoundException.class);
    }

    // Events

    /** Events from the moment that this was made; what a subscriber sees before its call has arrived is not told apart. */
    private final class Events {

        private final Iterator<Envelope> events;

        Events(String... filters) throws InterruptedException {
            List<String> all = new ArrayList<>(List.of(filters));
            if (!all.isEmpty()) {
                all.add("topic==\"/probe\"");
            }
            events = stub(EventsGrpc.newBlockingStub(channel))
                    .subscribe(SubscribeRequest.newBuilder().addAllFilters(all).build());
            AtomicBoolean arrived = new AtomicBoolean();
            Thread probing = Thread.startVirtualThread(() -> {
                while (!arrived.get()) {
                    publish("/probe", exit("probe", 0));
                }
            });
            assertThat(events.next().getTopic()).isEqualTo("/probe");
            arrived.set(true);
            probing.join();
        }

        Envelope next() {
            Envelope envelope = call(events::next);
            return envelope.getTopic().equals("/probe") ? next() : envelope;
        }
    }

    private void publish(String topic, Any event) {
        var _ = call(() -> stub(EventsGrpc.newBlockingStub(channel))
                .publish(PublishRequest.newBuilder()
                        .setTopic(topic)
                        .setEvent(event)
                        .build()));
    }

    private static Any exit(String container, int status) {
        return Any.newBuilder()
                .setTypeUrl("containerd.events.TaskExit")
                .setValue(TaskExit.newBuilder()
                        .setContainerId(container)
                        .setExitStatus(status)
                        .build()
                        .toByteString())
                .build();
    }

    @Test
    void whatIsPublishedReachesItsSubscribers() throws Exception {
        Events all = new Events();
        Events some = new Events("event.container_id==c2,topic~=|^/tasks|");
        publish("/tasks/exit", exit("c1", 1));
        publish("/tasks/exit", exit("c2", 2));
        assertThat(all.next().getEvent()).isEqualTo(exit("c1", 1));
        assertThat(all.next().getEvent()).isEqualTo(exit("c2", 2));
        Envelope envelope = some.next();
        assertThat(envelope.getEvent()).isEqualTo(exit("c2", 2));
        assertThat(envelope.getNamespace()).isEqualTo("test");
        assertThat(envelope.getTimestamp().getSeconds()).isGreaterThan(1_600_000_000);
    }

    @Test
    void aForwardedEventKeepsItsTimeAndMustHaveOne() throws Exception {
        Events all = new Events();
        Envelope.Builder envelope = Envelope.newBuilder()
                .setNamespace("elsewhere")
                .setTopic("/tasks/exit")
                .setEvent(exit("c", 7));
        assertThatThrownBy(() -> forward(envelope))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("timestamp");
        assertThatThrownBy(() -> forward(envelope.clone()
                        .setTimestamp(Timestamp.newBuilder().setSeconds(1_000_000))
                        .setTopic("tasks")))
                .isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> forward(envelope.clone()
                        .setTimestamp(Timestamp.newBuilder().setSeconds(1_000_000))
                        .setNamespace("not a namespace")))
                .isInstanceOf(InvalidArgumentException.class);
        envelope.setTimestamp(Timestamp.newBuilder().setSeconds(1_000_000).setNanos(123_456_789));
        forward(envelope);
        assertThat(all.next()).isEqualTo(envelope.build());
    }

    private void forward(Envelope.Builder envelope) {
        var _ = call(() -> EventsGrpc.newBlockingStub(channel)
                .forward(ForwardRequest.newBuilder().setEnvelope(envelope).build()));
    }

    @Test
    void badFiltersAndTopicsAreRefused() {
        var stub = stub(EventsGrpc.newBlockingStub(channel));
        assertThatThrownBy(() -> call(() -> stub.subscribe(SubscribeRequest.newBuilder()
                                .addFilters("topic=")
                                .build())
                        .next()))
                .isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> publish("no slash", exit("c", 1))).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> call(() -> EventsGrpc.newBlockingStub(channel)
                        .publish(PublishRequest.newBuilder()
                                .setTopic("/tasks/exit")
                                .setEvent(exit("c", 1))
                                .build())))
                .as("without a namespace")
                .isInstanceOf(FailedPreconditionException.class);
    }

    @Test
    void changesOfContentAndImagesArePublishedWithTheirNames() throws Exception {
        Events all = new Events();
        Digest digest = write("hello", Map.of());
        assertThat(ContentCreate.parseFrom(next(all, "/content/create")))
                .returns(digest.toString(), ContentCreate::getDigest)
                .returns(5L, ContentCreate::getSize);
        create(image("app", digest));
        assertThat(ImageCreate.parseFrom(next(all, "/images/create")).getName()).isEqualTo("app");
        var _ = call(() -> stub(ImagesGrpc.newBlockingStub(channel))
                .delete(DeleteImageRequest.newBuilder().setName("app").build()));
        assertThat(next(all, "/images/delete")).isNotEqualTo(ByteString.EMPTY);
        content.delete(context, digest);
        assertThat(next(all, "/content/delete")).isNotEqualTo(ByteString.EMPTY);
    }

    private static ByteString next(Events events, String topic) {
        Envelope envelope = events.next();
        assertThat(envelope.getTopic()).isEqualTo(topic);
        return envelope.getEvent().getValue();
    }

    // Content

    @Test
    void aCommitOfALongerDigestIsToldAsItIs() throws Exception {
        Events all = new Events();
        byte[] bytes = "hello".getBytes(StandardCharsets.UTF_8);
        var digester = Digest.digester("sha512");
        digester.update(bytes);
        Digest digest = Digest.of("sha512", digester);
        try (ContentWriter writer = content.writer(context, new WriterRequest("r", 5, Optional.empty()))) {
            writer.write(ByteBuffer.wrap(bytes));
            writer.commit(5, Optional.of(digest), Map.of());
            assertThat(writer.digest()).isEqualTo(digest);
        }
        assertThat(ContentCreate.parseFrom(next(all, "/content/create")).getDigest())
                .isEqualTo(digest.toString());
        assertThat(content.info(context, digest).size()).isEqualTo(5);
    }

    @Test
    void aReadPastTheEndIsCutAndOneFromBehindItRefused() {
        Digest digest = write("hello", Map.of());
        assertThat(read(digest, 3, 1000)).isEqualTo("lo");
        assertThat(read(digest, 0, 0)).isEqualTo("hello");
        assertThat(read(digest, 1, Long.MAX_VALUE)).isEqualTo("ello");
        assertThat(read(digest, -5, 2)).isEqualTo("he");
        assertThat(read(digest, 5, 1)).isEmpty();
        assertThatThrownBy(() -> read(digest, 6, 1)).isInstanceOf(OutOfRangeException.class);
    }

    private String read(Digest digest, long offset, long size) {
        Iterator<ReadContentResponse> parts = stub(ContentGrpc.newBlockingStub(channel))
                .read(ReadContentRequest.newBuilder()
                        .setDigest(digest.toString())
                        .setOffset(offset)
                        .setSize(size)
                        .build());
        StringBuilder text = new StringBuilder();
        while (call(parts::hasNext)) {
            text.append(parts.next().getData().toStringUtf8());
        }
        return text.toString();
    }

    @Test
    void aDigestThatIsNoneIsRefused() {
        for (String bad : List.of("", "sha256", "sha256:", "sha256:../../../etc/passwd", "md5:" + "a".repeat(32))) {
            assertThatThrownBy(() -> call(() -> stub(ContentGrpc.newBlockingStub(channel))
                            .info(InfoRequest.newBuilder().setDigest(bad).build())))
                    .as(bad)
                    .isInstanceOf(InvalidArgumentException.class);
        }
    }

    // Images, leases, namespaces

    @Test
    void anImageIsCreatedUpdatedByMaskAndDeletedWithItsContent() {
        Digest target = write("manifest", Map.of());
        Image created = create(image("app", target));
        assertThat(created.getCreatedAt().getSeconds()).isGreaterThan(1_600_000_000);
        assertThatThrownBy(() -> create(image("app", target))).isInstanceOf(AlreadyExistsException.class);
        var stub = stub(ImagesGrpc.newBlockingStub(channel));
        Image updated = call(() -> stub.update(UpdateImageRequest.newBuilder()
                        .setImage(Image.newBuilder().setName("app").putLabels("tier", "web"))
                        .setUpdateMask(FieldMask.newBuilder().addPaths("labels.tier"))
                        .build()))
                .getImage();
        assertThat(updated.getLabelsMap()).isEqualTo(Map.of("tier", "web"));
        assertThat(updated.getTarget()).isEqualTo(created.getTarget());
        collector.collect(context);
        assertThat(content.info(context, target).digest()).isEqualTo(target);

        var _ = call(() -> stub.delete(
                DeleteImageRequest.newBuilder().setName("app").setSync(true).build()));

        assertThatThrownBy(() -> content.info(context, target)).isInstanceOf(NotFoundException.class);
        assertThat(root.resolve("content/blobs/sha256"))
                .as("the file is gone, too")
                .isEmptyDirectory();
        assertThatThrownBy(() -> call(() ->
                        stub.get(GetImageRequest.newBuilder().setName("app").build())))
                .isInstanceOf(NotFoundException.class);
    }

    @Test
    void aLeaseKeepsContentUntilItIsDeletedInStep() {
        var leases = stub(LeasesGrpc.newBlockingStub(channel));
        String id = call(() -> leases.create(CreateRequest.getDefaultInstance()))
                .getLease()
                .getId();
        assertThat(id).isNotEmpty();
        Digest digest;
        try (ContentWriter writer =
                content.writer(context.withLease(id), new WriterRequest("r", 0, Optional.empty()))) {
            writer.write(ByteBuffer.wrap(new byte[] {1, 2, 3}));
            writer.commit(3, Optional.empty(), Map.of());
            digest = writer.digest();
        }
        collector.collect(context);
        assertThat(content.info(context, digest).size()).isEqualTo(3);
        var _ = call(() ->
                leases.delete(DeleteRequest.newBuilder().setId(id).setSync(true).build()));
        assertThatThrownBy(() -> content.info(context, digest)).isInstanceOf(NotFoundException.class);
    }

    @Test
    void aNamespaceIsCreatedListedAndDeletedWhenItIsEmpty() {
        var stub = NamespacesGrpc.newBlockingStub(channel);
        var _ = call(() -> stub.create(CreateNamespaceRequest.newBuilder()
                .setNamespace(Namespace.newBuilder().setName("test").putLabels("a", "b"))
                .build()));
        assertThat(call(() -> stub.list(ListNamespacesRequest.getDefaultInstance()))
                        .getNamespacesList())
                .containsExactly(Namespace.newBuilder()
                        .setName("test")
                        .putLabels("a", "b")
                        .build());
        Digest digest = write("hello", Map.of());
        DeleteNamespaceRequest delete =
                DeleteNamespaceRequest.newBuilder().setName("test").build();
        assertThatThrownBy(() -> call(() -> stub.delete(delete)))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("still has blobs");
        content.delete(context, digest);
        var _ = call(() -> stub.delete(delete));
        assertThatThrownBy(() -> call(() -> stub.delete(delete))).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> call(() -> stub.create(CreateNamespaceRequest.newBuilder()
                        .setNamespace(Namespace.newBuilder().setName("not a name"))
                        .build())))
                .isInstanceOf(InvalidArgumentException.class);
    }
}
