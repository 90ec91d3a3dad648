package dev.longshore.cli.run;

import static dev.longshore.transport.grpc.Unary.call;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import dev.longshore.api.services.containers.v1.Container;
import dev.longshore.api.services.containers.v1.CreateContainerRequest;
import dev.longshore.api.services.containers.v1.DeleteContainerRequest;
import dev.longshore.api.services.containers.v1.GetContainerRequest;
import dev.longshore.api.services.containers.v1.ListContainersRequest;
import dev.longshore.api.services.snapshots.v1.MountsRequest;
import dev.longshore.api.services.snapshots.v1.PrepareSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.RemoveSnapshotRequest;
import dev.longshore.api.types.Mount;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The containers of a daemon's namespace: records of what to run, with a snapshot each. */
public final class Containers {

    /** The label with the file that a detached container's output goes to. */
    static final String LOG_LABEL = "dev.longshore.cli/log";

    /** The label with the signal that asks the container to end, as containerd's clients write it. */
    private static final String STOP_SIGNAL_LABEL = "io.containerd.image.config.stop-signal";

    private final Daemon daemon;

    public Containers(Daemon daemon) {
        this.daemon = daemon;
    }

    public List<Container> list() {
        return call(() -> daemon.containers().list(ListContainersRequest.getDefaultInstance()))
                .getContainersList();
    }

    /** @throws NotFoundException if there is none of that id */
    public Container find(String id) {
        try {
            return call(() -> daemon.containers()
                            .get(GetContainerRequest.newBuilder().setId(id).build()))
                    .getContainer();
        } catch (NotFoundException e) {
            throw new NotFoundException(
                    "there is no container %s in the namespace %s: see longshore ps"
                            .formatted(id, daemon.namespace().value()),
                    e);
        }
    }

    /** Makes the container's own snapshot on that of its image; returns how to mount it. */
    List<Mount> prepare(String snapshotter, String id, String parent) {
        try {
            return call(() -> daemon.snapshots()
                            .prepare(PrepareSnapshotRequest.newBuilder()
                                    .setSnapshotter(snapshotter)
                                    .setKey(id)
                                    .setParent(parent)
                                    .build()))
                    .getMountsList();
        } catch (AlreadyExistsException e) {
            throw new AlreadyExistsException(
                    "there is a container or a snapshot %s already: take another --name, or remove it with longshore rm %s"
                            .formatted(id, id),
                    e);
        }
    }

    List<Mount> mounts(Container container) {
        return call(() -> daemon.snapshots()
                        .mounts(MountsRequest.newBuilder()
                                .setSnapshotter(container.getSnapshotter())
                                .setKey(container.getSnapshotKey())
                                .build()))
                .getMountsList();
    }

    /** Records a container whose snapshot has its id. */
    void create(
            String id,
            String image,
            String runtime,
            String snapshotter,
            Map<String, Object> spec,
            Map<String, String> labels) {
        Container container = Container.newBuilder()
                .setId(id)
                .setImage(image)
                .setRuntime(Container.Runtime.newBuilder().setName(runtime))
                .setSnapshotter(snapshotter)
                .setSnapshotKey(id)
                .setSpec(Any.newBuilder().setTypeUrl(OciSpec.TYPE_URL).setValue(ByteString.copyFrom(Json.bytes(spec))))
                .putAllLabels(labels)
                .build();
        try {
            call(() -> daemon.containers()
                    .create(CreateContainerRequest.newBuilder()
                            .setContainer(container)
                            .build()));
        } catch (AlreadyExistsException e) {
            throw new AlreadyExistsException(
                    "there is a container %s already: take another --name, or remove it with longshore rm %s"
                            .formatted(id, id),
                    e);
        }
    }

    /** Removes the record, the snapshot and the log; what is not there is fine. */
    public void remove(String id) {
        Optional<Container> container;
        try {
            container = Optional.of(find(id));
        } catch (NotFoundException e) {
            container = Optional.empty();
        }
        if (container.isEmpty()) {
            return;
        }
        ignoreNotFound(() -> call(() -> daemon.containers()
                .delete(DeleteContainerRequest.newBuilder().setId(id).build())));
        if (!container.get().getSnapshotKey().isEmpty()) {
            removeSnapshot(container.get().getSnapshotter(), container.get().getSnapshotKey());
        }
        container.flatMap(Containers::log).ifPresent(log -> {
            try {
                Files.deleteIfExists(log);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    void removeSnapshot(String snapshotter, String key) {
        ignoreNotFound(() -> call(() -> daemon.snapshots()
                .remove(RemoveSnapshotRequest.newBuilder()
                        .setSnapshotter(snapshotter)
                        .setKey(key)
                        .build())));
    }

    private static void ignoreNotFound(Runnable removal) {
        try {
            removal.run();
        } catch (NotFoundException e) {
            // Gone already, which is what was asked for.
        }
    }

    /** The file that a container's output goes to; only a detached container of this client has one. */
    public static Optional<Path> log(Container container) {
        return Optional.ofNullable(container.getLabelsMap().get(LOG_LABEL)).map(Path::of);
    }

    /** The signal that asks a container to end. */
    public static int stopSignal(Container container) {
        return signal(container.getLabelsOrDefault(STOP_SIGNAL_LABEL, ""));
    }

    /** What to label a container with, whose image wants to be ended by {@code signal}. */
    static Map<String, String> stopSignalLabel(String signal) {
        return signal.isEmpty() ? Map.of() : Map.of(STOP_SIGNAL_LABEL, signal);
    }

    private static int signal(String text) {
        String name = text.startsWith("SIG") ? text.substring(3) : text;
        return switch (name) {
            case "HUP", "1" -> 1;
            case "INT", "2" -> 2;
            case "QUIT", "3" -> 3;
            case "KILL", "9" -> Tasks.SIGKILL;
            case "USR1", "10" -> 10;
            case "USR2", "12" -> 12;
            case "WINCH", "28" -> 28;
            case "RTMIN+3", "37" -> 37;
            default -> Tasks.SIGTERM;
        };
    }

    /** Removes what a failed start has left, without hiding why it failed. */
    void removeAfter(ContainerdException reason, String id, String snapshotter) {
        try {
            remove(id);
            removeSnapshot(snapshotter, id);
        } catch (RuntimeException e) {
            reason.addSuppressed(e);
        }
    }
}
