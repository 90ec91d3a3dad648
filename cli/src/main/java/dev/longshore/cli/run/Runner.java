package dev.longshore.cli.run;

import static dev.longshore.transport.grpc.Unary.call;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import dev.longshore.api.services.containers.v1.Container;
import dev.longshore.api.services.tasks.v1.CreateTaskRequest;
import dev.longshore.api.services.tasks.v1.ExecProcessRequest;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.image.Unpacker;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.oci.Manifests;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Runs containers. In the foreground: creates, starts, copies its streams, waits, and cleans up; this program being ended
 * ends the container first.
 */
public final class Runner {

    /** How long output that a process left in the background holds open is waited for. */
    private static final Duration OUTPUT_PATIENCE = Duration.ofSeconds(2);

    /** How long a container has to end when this program is ended. */
    private static final Duration END_PATIENCE = Duration.ofSeconds(10);

    private final Daemon daemon;
    private final Containers containers;
    private final Tasks tasks;

    public Runner(Daemon daemon) {
        this.daemon = daemon;
        this.containers = new Containers(daemon);
        this.tasks = new Tasks(daemon);
    }

    /**
     * Runs a container.
     *
     * @return its exit status; 0 for one that was left running
     * @throws ContainerdException if it could not be started; nothing is left of it then
     */
    public int run(Launch launch) throws IOException, InterruptedException {
        String id = launch.spec().id();
        List<dev.longshore.api.types.Mount> rootfs = create(launch);
        try {
            return launch.detached() ? detach(launch, rootfs) : attach(launch, rootfs);
        } catch (ContainerdException e) {
            containers.removeAfter(e, id, launch.snapshotter());
            throw e;
        }
    }

    /** What sees a container's files being used. */
    interface Watch extends AutoCloseable {
        @Override
        void close() throws IOException;
    }

    /** Begins to watch the file system that is mounted on a folder. */
    interface Watcher {
        Watch watch(Path folder) throws IOException;
    }

    /** Like {@link #run} in the foreground, with the container's files mounted here first, and watched while it runs. */
    int runWatched(Launch launch, Watcher watcher) throws IOException, InterruptedException {
        String id = launch.spec().id();
        List<Mount> rootfs = toMounts(create(launch));
        Path folder = Files.createTempDirectory("longshore-rootfs-");
        try {
            Mounts.mountAll(rootfs, folder);
            try (Watch _ = watcher.watch(folder)) {
                // The same file system, so that what happens in the container's own mount is seen as well.
                return attach(
                        launch,
                        List.of(dev.longshore.api.types.Mount.newBuilder()
                                .setType("bind")
                                .setSource(folder.toString())
                                .addAllOptions(List.of("rbind", "rw"))
                                .build()));
            } finally {
                Mounts.unmountAll(folder);
            }
        } catch (ContainerdException e) {
            containers.removeAfter(e, id, launch.snapshotter());
            throw e;
        } finally {
            Files.delete(folder);
        }
    }

    /** Makes snapshot and record; a lease keeps the first until the second refers to it. */
    private List<dev.longshore.api.types.Mount> create(Launch launch) throws IOException {
        String id = launch.spec().id();
        Manifests.Config config = launch.image().config();
        try (Leased leased = new Leased(daemon)) {
            Containers made = new Containers(leased.daemon());
            List<dev.longshore.api.types.Mount> rootfs =
                    made.prepare(launch.snapshotter(), id, Unpacker.chainId(config.diffIds()));
            try {
                String user = launch.user().isEmpty() ? config.process().user() : launch.user();
                ContainerUser resolved = Mounts.withTempMount(
                        Mounts.readOnly(toMounts(rootfs)),
                        root -> UserDatabase.in(root).resolve(user));
                Map<String, String> labels = new HashMap<>(
                        Containers.stopSignalLabel(config.process().stopSignal()));
                if (launch.detached()) {
                    labels.put(Containers.LOG_LABEL, launch.log().toString());
                }
                made.create(
                        id,
                        launch.image().name(),
                        launch.runtime(),
                        launch.snapshotter(),
                        OciSpec.of(launch.spec(), config.process(), resolved),
                        labels);
            } catch (IOException | RuntimeException e) {
                try {
                    made.removeSnapshot(launch.snapshotter(), id);
                } catch (ContainerdException suppressed) {
                    e.addSuppressed(suppressed);
                }
                throw e;
            }
            return rootfs;
        }
    }

    static List<Mount> toMounts(List<dev.longshore.api.types.Mount> mounts) {
        return mounts.stream()
                .map(mount -> new Mount(mount.getType(), mount.getSource(), mount.getTarget(), mount.getOptionsList()))
                .toList();
    }

    private int detach(Launch launch, List<dev.longshore.api.types.Mount> rootfs) throws IOException {
        String id = launch.spec().id();
        Files.createDirectories(launch.log().toAbsolutePath().getParent());
        String uri = "file://" + launch.log().toAbsolutePath();
        call(() -> daemon.tasks()
                .create(CreateTaskRequest.newBuilder()
                        .setContainerId(id)
                        .addAllRootfs(rootfs)
                        .setStdout(uri)
                        .setStderr(uri)
                        .build()));
        startOrDelete(id);
        return 0;
    }

    private void startOrDelete(String id) {
        try {
            tasks.start(id, "");
        } catch (ContainerdException e) {
            try {
                tasks.delete(id);
            } catch (ContainerdException suppressed) {
                e.addSuppressed(suppressed);
            }
            throw e;
        }
    }

    private int attach(Launch launch, List<dev.longshore.api.types.Mount> rootfs)
            throws IOException, InterruptedException {
        String id = launch.spec().id();
        boolean terminal = launch.spec().terminal();
        try (Streams streams = Streams.make(launch.interactive(), terminal)) {
            copy(streams, id, "");
            call(() -> daemon.tasks()
                    .create(CreateTaskRequest.newBuilder()
                            .setContainerId(id)
                            .addAllRootfs(rootfs)
                            .setStdin(streams.stdin())
                            .setStdout(streams.stdout())
                            .setStderr(streams.stderr())
                            .setTerminal(terminal)
                            .build()));
            CompletableFuture<Integer> exit = tasks.exit(id, "");
            CountDownLatch cleanedUp = new CountDownLatch(1);
            Thread atExit = new Thread(() -> end(id, exit, cleanedUp));
            Runtime.getRuntime().addShutdownHook(atExit);
            try {
                startOrDelete(id);
                int status = await(id, "", terminal, exit, streams);
                tasks.delete(id);
                if (launch.remove()) {
                    containers.remove(id);
                }
                return status;
            } finally {
                cleanedUp.countDown();
                removeHook(atExit);
            }
        }
    }

    private int await(String id, String execId, boolean terminal, CompletableFuture<Integer> exit, Streams streams)
            throws InterruptedException, ErrnoException {
        if (!terminal) {
            int status = Tasks.await(exit);
            streams.awaitOutput(OUTPUT_PATIENCE);
            return status;
        }
        try (AttachedTerminal _ = new AttachedTerminal(size -> tasks.resize(id, execId, size.columns(), size.rows()))) {
            int status = Tasks.await(exit);
            streams.awaitOutput(OUTPUT_PATIENCE);
            return status;
        }
    }

    private void copy(Streams streams, String id, String execId) {
        // Not System.in and System.out: bytes go through as they are, and at once.
        streams.copy(
                new FileInputStream(FileDescriptor.in),
                new FileOutputStream(FileDescriptor.out),
                new FileOutputStream(FileDescriptor.err),
                () -> tasks.closeInput(id, execId));
    }

    /** On the way out of this program: ends the container, and lets the one who waits for it clean up. */
    private void end(String id, CompletableFuture<Integer> exit, CountDownLatch cleanedUp) {
        tasks.kill(id, "", Tasks.SIGTERM);
        try {
            exit.get(END_PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (TimeoutException | ExecutionException e) {
            tasks.kill(id, "", Tasks.SIGKILL);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        try {
            boolean _ = cleanedUp.await(END_PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void removeHook(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The hook is what got us here.
        }
    }

    /**
     * Runs another process in a running container.
     *
     * @return its exit status
     */
    public int exec(ExecRequest request) throws IOException, InterruptedException {
        Container container = containers.find(request.containerId());
        Map<String, Object> spec =
                Json.object(container.getSpec().getValue().toByteArray(), "specification of " + container.getId());
        Map<String, Object> process = new HashMap<>(Json.object(spec, "process"));
        process.put("args", request.arguments());
        process.put("terminal", request.terminal());
        process.put(
                "env", OciSpec.environment(Json.strings(process, "env"), request.environment(), request.terminal()));
        request.workingFolder().ifPresent(folder -> process.put("cwd", folder));
        if (!request.user().isEmpty()) {
            ContainerUser user = Mounts.withTempMount(
                    Mounts.readOnly(toMounts(containers.mounts(container))),
                    root -> UserDatabase.in(root).resolve(request.user()));
            process.put("user", OciSpec.user(user));
        }
        String id = container.getId();
        String execId = "exec-" + UUID.randomUUID();
        try (Streams streams = Streams.make(request.interactive(), request.terminal())) {
            copy(streams, id, execId);
            call(() -> daemon.tasks()
                    .exec(ExecProcessRequest.newBuilder()
                            .setContainerId(id)
                            .setExecId(execId)
                            .setStdin(streams.stdin())
                            .setStdout(streams.stdout())
                            .setStderr(streams.stderr())
                            .setTerminal(request.terminal())
                            .setSpec(Any.newBuilder()
                                    .setTypeUrl(OciSpec.PROCESS_TYPE_URL)
                                    .setValue(ByteString.copyFrom(Json.bytes(process))))
                            .build()));
            CompletableFuture<Integer> exit = tasks.exit(id, execId);
            Thread atExit = new Thread(() -> tasks.kill(id, execId, Tasks.SIGKILL));
            Runtime.getRuntime().addShutdownHook(atExit);
            try {
                tasks.start(id, execId);
                return await(id, execId, request.terminal(), exit, streams);
            } finally {
                removeHook(atExit);
                tasks.deleteProcess(id, execId);
            }
        }
    }
}
