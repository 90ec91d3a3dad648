package dev.longshore.cli.daemon;

import dev.longshore.api.longshore.services.plugins.v1.PluginsGrpc;
import dev.longshore.api.services.containers.v1.ContainersGrpc;
import dev.longshore.api.services.content.v1.ContentGrpc;
import dev.longshore.api.services.diff.v1.DiffGrpc;
import dev.longshore.api.services.images.v1.ImagesGrpc;
import dev.longshore.api.services.introspection.v1.IntrospectionGrpc;
import dev.longshore.api.services.leases.v1.LeasesGrpc;
import dev.longshore.api.services.namespaces.v1.NamespacesGrpc;
import dev.longshore.api.services.snapshots.v1.SnapshotsGrpc;
import dev.longshore.api.services.streaming.v1.StreamingGrpc;
import dev.longshore.api.services.tasks.v1.TasksGrpc;
import dev.longshore.api.services.transfer.v1.TransferGrpc;
import dev.longshore.api.services.version.v1.VersionGrpc;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.UnixChannels;
import io.grpc.ManagedChannel;
import io.grpc.stub.AbstractStub;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A daemon as one client sees it: a namespace of it, with or without a lease. Longshore's daemon or containerd's: what is
 * asked of it is containerd's API. Views made by {@link #withLease} and {@link #in} share the connection, which is closed by who
 * opened it.
 */
public final class Daemon implements AutoCloseable {

    private static final Duration ORDINARY = Duration.ofSeconds(30);

    /** For what reads or writes a whole layer. */
    private static final Duration LONG = Duration.ofHours(1);

    /** For what ends when a container does. */
    private static final Duration UNBOUNDED = Duration.ofDays(3650);

    private final Path socket;
    private final UnixChannels channels;
    private final ManagedChannel channel;
    private final NamespaceId namespace;
    private final Optional<String> lease;

    private Daemon(
            Path socket, UnixChannels channels, ManagedChannel channel, NamespaceId namespace, Optional<String> lease) {
        this.socket = socket;
        this.channels = channels;
        this.channel = channel;
        this.namespace = namespace;
        this.lease = lease;
    }

    /** @throws UnavailableException if there is no socket; one that nobody listens on fails the first call */
    public static Daemon connect(Path socket, NamespaceId namespace) {
        if (!Files.exists(socket)) {
            throw new UnavailableException(
                    "there is no daemon at %s: start it (systemctl start longshored, or longshore-suite up --root DIR),"
                                    .formatted(socket)
                            + " or name its socket with --address");
        }
        UnixChannels channels = new UnixChannels();
        return new Daemon(socket, channels, channels.open(socket, List.of()), namespace, Optional.empty());
    }

    public NamespaceId namespace() {
        return namespace;
    }

    public Path socket() {
        return socket;
    }

    /** The same connection, with {@code lease} keeping what calls make. */
    public Daemon withLease(String lease) {
        return new Daemon(socket, channels, channel, namespace, Optional.of(lease));
    }

    /** The same connection, in another namespace. */
    public Daemon in(NamespaceId namespace) {
        return new Daemon(socket, channels, channel, namespace, Optional.empty());
    }

    public VersionGrpc.VersionBlockingStub version() {
        return send(VersionGrpc.newBlockingStub(channel), ORDINARY);
    }

    public IntrospectionGrpc.IntrospectionBlockingStub introspection() {
        return send(IntrospectionGrpc.newBlockingStub(channel), ORDINARY);
    }

    /** Longshore's own; containerd does not have it. */
    public PluginsGrpc.PluginsBlockingStub plugins() {
        return send(PluginsGrpc.newBlockingStub(channel), ORDINARY);
    }

    public NamespacesGrpc.NamespacesBlockingStub namespaces() {
        return send(NamespacesGrpc.newBlockingStub(channel), ORDINARY);
    }

    public LeasesGrpc.LeasesBlockingStub leases() {
        return send(LeasesGrpc.newBlockingStub(channel), ORDINARY);
    }

    public ImagesGrpc.ImagesBlockingStub images() {
        return send(ImagesGrpc.newBlockingStub(channel), ORDINARY);
    }

    public ContentGrpc.ContentBlockingStub content() {
        return send(ContentGrpc.newBlockingStub(channel), ORDINARY);
    }

    /** For reading and writing whole blobs. */
    public ContentGrpc.ContentBlockingV2Stub contentStreams() {
        return send(ContentGrpc.newBlockingV2Stub(channel), LONG);
    }

    /** For moving whole images. */
    public TransferGrpc.TransferBlockingStub transfers() {
        return send(TransferGrpc.newBlockingStub(channel), LONG);
    }

    /** What a transfer talks with its client through. */
    public StreamingGrpc.StreamingBlockingV2Stub streams() {
        return send(StreamingGrpc.newBlockingV2Stub(channel), LONG);
    }

    public SnapshotsGrpc.SnapshotsBlockingStub snapshots() {
        return send(SnapshotsGrpc.newBlockingStub(channel), ORDINARY);
    }

    public DiffGrpc.DiffBlockingStub diff() {
        return send(DiffGrpc.newBlockingStub(channel), LONG);
    }

    public ContainersGrpc.ContainersBlockingStub containers() {
        return send(ContainersGrpc.newBlockingStub(channel), ORDINARY);
    }

    public TasksGrpc.TasksBlockingStub tasks() {
        return send(TasksGrpc.newBlockingStub(channel), ORDINARY);
    }

    /** For waiting until a task ends. */
    public TasksGrpc.TasksBlockingStub tasksWithoutDeadline() {
        return send(TasksGrpc.newBlockingStub(channel), UNBOUNDED);
    }

    private <S extends AbstractStub<S>> S send(S stub, Duration timeout) {
        return CallContexts.send(stub, new CallContext(Optional.of(namespace), lease, Deadline.after(timeout)));
    }

    @Override
    public void close() {
        channel.shutdownNow();
        channels.close();
    }
}
