package dev.longshore.shim;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import dev.longshore.api.events.TaskCreate;
import dev.longshore.api.events.TaskExecAdded;
import dev.longshore.api.events.TaskExecStarted;
import dev.longshore.api.events.TaskExit;
import dev.longshore.api.events.TaskIO;
import dev.longshore.api.events.TaskOOM;
import dev.longshore.api.events.TaskStart;
import dev.longshore.api.runc.v1.CheckpointOptions;
import dev.longshore.api.task.v2.CreateTaskRequest;
import dev.longshore.api.v1.types.Status;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.linux.PidFd;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** A container and the processes in it. */
final class ContainerTask {

    private static final int SIGKILL = 9;

    private final String id;
    private final String namespace;
    private final TaskBundle bundle;
    private final RuncOptions options;
    private final Runc runc;
    private final ContainerProcess init;
    private final Map<String, ContainerProcess> execs = new ConcurrentHashMap<>();
    private final Map<String, Any> execSpecs = new ConcurrentHashMap<>();
    private final ExitWatcher exits;
    private final EventForwarder events;
    private final String checkpoint;
    private volatile boolean paused;
    private volatile @Nullable Cgroup cgroup;
    private volatile long oomKills;

    private ContainerTask(
            String id,
            String namespace,
            TaskBundle bundle,
            RuncOptions options,
            ProcessStdio.Addresses addresses,
            String checkpoint,
            ExitWatcher exits,
            EventForwarder events) {
        this.id = id;
        this.namespace = namespace;
        this.bundle = bundle;
        this.options = options;
        this.runc = Runc.of(options, namespace, bundle);
        this.init = new ContainerProcess("", addresses);
        this.checkpoint = checkpoint;
        this.exits = exits;
        this.events = events;
    }

    /** Makes the container; its first process waits to be started. */
    static ContainerTask create(CreateTaskRequest request, String namespace, ExitWatcher exits, EventForwarder events)
            throws IOException {
        TaskBundle bundle = new TaskBundle(Path.of(request.getBundle()));
        RuncOptions options = RuncOptions.parse(request.getOptions());
        options.save(bundle);
        ContainerTask task = new ContainerTask(
                request.getId(),
                namespace,
                bundle,
                options,
                new ProcessStdio.Addresses(
                        request.getStdin(), request.getStdout(), request.getStderr(), request.getTerminal()),
                request.getCheckpoint(),
                exits,
                events);
        bundle.writeRuntime(options.binary());
        task.create(request);
        return task;
    }

    private void create(CreateTaskRequest request) throws IOException {
        List<Mount> mounts = request.getRootfsList().stream()
                .map(mount -> new Mount(mount.getType(), mount.getSource(), mount.getTarget(), mount.getOptionsList()))
                .toList();
        init.telling().lock();
        try {
            if (!mounts.isEmpty()) {
                Files.createDirectories(bundle.rootfs());
                Mounts.mountAll(mounts, bundle.rootfs());
            }
            if (checkpoint.isEmpty()) {
                init.make(runc, bundle, namespace, id, "create", createFlags());
                watchInit();
            }
            record().save();
            events.publish(
                    "/tasks/create",
                    TaskCreate.newBuilder()
                            .setContainerId(id)
                            .setBundle(bundle.path().toString())
                            .addAllRootfs(request.getRootfsList())
                            .setIo(TaskIO.newBuilder()
                                    .setStdin(request.getStdin())
                                    .setStdout(request.getStdout())
                                    .setStderr(request.getStderr())
                                    .setTerminal(request.getTerminal()))
                            .setCheckpoint(checkpoint)
                            .setPid(init.pid())
                            .build());
        } catch (IOException | RuntimeException e) {
            undo(e);
            throw e;
        } finally {
            init.telling().unlock();
        }
    }

    private void undo(Exception cause) {
        try {
            init.abandon();
            runc.deleteIfThere(id);
            bundle.unmountRootfs();
        } catch (IOException | RuntimeException e) {
            cause.addSuppressed(e);
        }
    }

    private List<String> createFlags() {
        List<String> flags = new ArrayList<>(List.of("--bundle", bundle.path().toString()));
        if (options.options().getNoPivotRoot()) {
            flags.add("--no-pivot");
        }
        if (options.options().getNoNewKeyring()) {
            flags.add("--no-new-keyring");
        }
        return flags;
    }

    private void watchInit() throws IOException {
        try {
            cgroup = Cgroup.of(init.pid());
        } catch (IOException e) {
            ShimLog.warn("no cgroups of container " + id + ": " + e.getMessage());
        }
        watch(init);
    }

    private void watch(ContainerProcess process) throws IOException {
        exits.watch(PidFd.open(process.pid()), status -> ended(process, status));
    }

    /** Takes up a container that an earlier shim made. */
    static ContainerTask adopt(TaskRecord record, String namespace, ExitWatcher exits, EventForwarder events)
            throws IOException {
        TaskBundle bundle = new TaskBundle(record.bundle());
        ContainerTask task = new ContainerTask(
                record.id(), namespace, bundle, RuncOptions.load(bundle), record.addresses(), "", exits, events);
        task.init.adopt(record.pid(), record.started(), record.id(), namespace, bundle.path());
        if (record.startTime() == TaskRecord.startTime(record.pid())) {
            task.watchInit();
        } else {
            // It ended while no shim was there. The daemon knows how, if it held the process.
            task.ended(task.init, ExitWatcher.UNKNOWN_STATUS);
        }
        return task;
    }

    private TaskRecord record() {
        return new TaskRecord(
                id, bundle.path(), init.pid(), TaskRecord.startTime(init.pid()), init.started(), init.addresses());
    }

    String id() {
        return id;
    }

    TaskBundle bundle() {
        return bundle;
    }

    ContainerProcess init() {
        return init;
    }

    /** @throws NotFoundException if there is none of that id; the empty one is the container's first process */
    ContainerProcess process(String execId) {
        if (execId.isEmpty()) {
            return init;
        }
        ContainerProcess process = execs.get(execId);
        if (process == null) {
            throw new NotFoundException("process %s in container %s".formatted(execId, id));
        }
        return process;
    }

    /** Starts a process. */
    void start(String execId) throws IOException {
        ContainerProcess process = process(execId);
        process.telling().lock();
        try {
            if (process.started() || process.exited().isPresent()) {
                throw new FailedPreconditionException("process was started already");
            }
            if (execId.isEmpty()) {
                startInit();
            } else {
                startExec(process);
            }
        } finally {
            process.telling().unlock();
        }
    }

    private void startInit() throws IOException {
        if (checkpoint.isEmpty()) {
            runc.run("start", id);
        } else {
            List<String> flags = new ArrayList<>(createFlags());
            flags.addAll(List.of(
                    "--detach",
                    "--image-path",
                    checkpoint,
                    "--work-path",
                    bundle.path().toString()));
            init.make(runc, bundle, namespace, id, "restore", flags);
            watchInit();
        }
        init.markStarted();
        record().save();
        events.publish(
                "/tasks/start",
                TaskStart.newBuilder().setContainerId(id).setPid(init.pid()).build());
    }

    private void startExec(ContainerProcess process) throws IOException {
        Path spec = bundle.processSpec(process.execId());
        Files.write(
                spec,
                execSpecs
                        .getOrDefault(process.execId(), Any.getDefaultInstance())
                        .getValue()
                        .toByteArray());
        try {
            process.make(runc, bundle, namespace, id, "exec", List.of("--detach", "--process", spec.toString()));
            process.markStarted();
            watch(process);
        } catch (IOException | RuntimeException e) {
            process.abandon();
            // Whoever waits for it must not wait for ever.
            process.exit().complete(new ContainerProcess.Exit(ExitWatcher.UNKNOWN_STATUS, Instant.now()));
            throw e;
        } finally {
            Files.deleteIfExists(spec);
        }
        events.publish(
                "/tasks/exec-started",
                TaskExecStarted.newBuilder()
                        .setContainerId(id)
                        .setExecId(process.execId())
                        .setPid(process.pid())
                        .build());
    }

    /** @param spec the OCI process, as JSON */
    void addExec(String execId, ProcessStdio.Addresses addresses, Any spec) {
        if (execs.putIfAbsent(execId, new ContainerProcess(execId, addresses)) != null) {
            throw new AlreadyExistsException("process %s in container %s".formatted(execId, id));
        }
        execSpecs.put(execId, spec);
        events.publish(
                "/tasks/exec-added",
                TaskExecAdded.newBuilder().setContainerId(id).setExecId(execId).build());
    }

    private void ended(ContainerProcess process, int status) {
        Instant at = Instant.now();
        tellOom();
        process.ended(status);
        process.telling().lock();
        try {
            events.publish(
                    "/tasks/exit",
                    TaskExit.newBuilder()
                            .setContainerId(id)
                            .setId(process.execId().isEmpty() ? id : process.execId())
                            .setPid(process.pid())
                            .setExitStatus(status)
                            .setExitedAt(Timestamps.of(at))
                            .build());
            process.exit().complete(new ContainerProcess.Exit(status, at));
        } finally {
            process.telling().unlock();
        }
    }

    private void tellOom() {
        Cgroup current = cgroup;
        if (current != null && current.oomKills() > oomKills) {
            oomKills = current.oomKills();
            events.publish("/tasks/oom", TaskOOM.newBuilder().setContainerId(id).build());
        }
    }

    /** Deletes a process that has ended. */
    ContainerProcess.Exit delete(String execId) throws IOException {
        ContainerProcess process = process(execId);
        ContainerProcess.Exit exit;
        if (process.pid() == 0 && process.exited().isEmpty()) {
            exit = new ContainerProcess.Exit(0, Instant.now()); // never started
        } else {
            exit = process.exited()
                    .orElseThrow(() -> new FailedPreconditionException("cannot delete a running process"));
        }
        if (!execId.isEmpty()) {
            execs.remove(execId);
            execSpecs.remove(execId);
            Files.deleteIfExists(bundle.pidFile(execId));
            return exit;
        }
        runc.deleteIfThere(id);
        bundle.unmountRootfs();
        return exit;
    }

    void kill(String execId, int signal, boolean all) throws IOException {
        ContainerProcess process = process(execId);
        boolean ended = process.exited().isPresent();
        if (all && execId.isEmpty()) {
            runc.run("kill", "--all", id, Integer.toString(signal));
        } else if (paused && signal == SIGKILL && execId.isEmpty() && !ended) {
            runc.run("kill", id, Integer.toString(signal)); // runc thaws what is frozen
        } else {
            process.signal(signal);
        }
    }

    void pause() throws IOException {
        runc.run("pause", id);
        paused = true;
    }

    void resume() throws IOException {
        runc.run("resume", id);
        paused = false;
    }

    boolean stopped() {
        return init.exited().isPresent();
    }

    Status status(ContainerProcess process) {
        if (process.exited().isPresent()) {
            return Status.STOPPED;
        }
        if (!process.started()) {
            return Status.CREATED;
        }
        return paused && process == init ? Status.PAUSED : Status.RUNNING;
    }

    /** The pids in the container, as the host counts. */
    List<Integer> pids() throws IOException {
        String json = new String(runc.output("ps", "--format", "json", id), StandardCharsets.UTF_8);
        List<Integer> pids = new ArrayList<>();
        for (String number : json.replaceAll("[^0-9]+", " ").strip().split(" ", -1)) {
            if (!number.isEmpty()) {
                pids.add(Integer.parseInt(number));
            }
        }
        return pids;
    }

    /** Which process of ours has the pid; empty for one that a process made by itself. */
    Optional<String> execIdOf(int pid) {
        return execs.values().stream()
                .filter(process -> process.pid() == pid)
                .map(ContainerProcess::execId)
                .findFirst();
    }

    Message metrics() throws IOException {
        Cgroup current = cgroup;
        if (current == null) {
            throw new NotFoundException("cgroup of container " + id);
        }
        return current.metrics();
    }

    /** @param resources an OCI LinuxResources, as JSON */
    void update(byte[] resources) throws IOException {
        Path file = Files.createTempFile(bundle.path(), "resources", ".json");
        try {
            Files.write(file, resources);
            runc.run("update", "--resources", file.toString(), id);
        } finally {
            Files.deleteIfExists(file);
        }
    }

    void checkpoint(Path image, CheckpointOptions checkpointOptions) throws IOException {
        List<String> arguments = new ArrayList<>(List.of("--image-path", image.toString()));
        Path work = checkpointOptions.getWorkPath().isEmpty()
                ? Files.createTempDirectory(bundle.path(), "criu-work")
                : Path.of(checkpointOptions.getWorkPath());
        arguments.addAll(List.of("--work-path", work.toString()));
        addIf(arguments, !checkpointOptions.getExit(), "--leave-running");
        addIf(arguments, checkpointOptions.getOpenTcp(), "--tcp-established");
        addIf(arguments, checkpointOptions.getExternalUnixSockets(), "--ext-unix-sk");
        addIf(arguments, checkpointOptions.getTerminal(), "--shell-job");
        addIf(arguments, checkpointOptions.getFileLocks(), "--file-locks");
        checkpointOptions.getEmptyNamespacesList().forEach(kind -> arguments.addAll(List.of("--empty-ns", kind)));
        if (!checkpointOptions.getCgroupsMode().isEmpty()) {
            arguments.addAll(List.of("--manage-cgroups-mode", checkpointOptions.getCgroupsMode()));
        }
        arguments.add(id);
        runc.run("checkpoint", Runc.Stdio.NULL, arguments);
    }

    private static void addIf(List<String> arguments, boolean condition, String flag) {
        if (condition) {
            arguments.add(flag);
        }
    }
}
