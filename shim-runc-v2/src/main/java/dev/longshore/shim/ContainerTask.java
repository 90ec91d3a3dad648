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
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.linux.MemoryEvents;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.namespace.Identifiers;
import java.io.Closeable;
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
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A container and the processes in it. */
final class ContainerTask {

    private static final int SIGKILL = 9;

    /** How long processes that were killed may take to end, and their output to be drained. */
    private static final long EXECS_SECONDS = 20;

    private final String id;
    private final TaskHost host;
    private final TaskBundle bundle;
    private final RuncOptions options;
    private final Runc runc;
    private final Criu criu;
    private final ContainerProcess init;
    private final Map<String, ContainerProcess> execs = new ConcurrentHashMap<>();
    private final Map<String, Any> execSpecs = new ConcurrentHashMap<>();
    private final String checkpoint;
    private volatile boolean paused;
    private volatile @Nullable Cgroup cgroup;
    private Optional<Closeable> oomWatch = Optional.empty();
    private long oomKills;

    /** Whether its processes outlive its first one, because it shares the pids of another pid namespace. */
    private volatile boolean sharesPids;

    private ContainerTask(
            String id,
            TaskHost host,
            TaskBundle bundle,
            RuncOptions options,
            ProcessStdio.Addresses addresses,
            String checkpoint) {
        this.id = id;
        this.host = host;
        this.bundle = bundle;
        this.options = options;
        this.runc = Runc.of(options, host.namespace(), bundle);
        this.criu = new Criu(bundle);
        this.init = new ContainerProcess("", addresses);
        this.checkpoint = checkpoint;
    }

    /** Makes the container; its first process waits to be started. */
    static ContainerTask create(CreateTaskRequest request, TaskHost host) throws IOException {
        TaskBundle bundle = new TaskBundle(Path.of(request.getBundle()));
        RuncOptions options = RuncOptions.parse(request.getOptions());
        options.save(bundle);
        ContainerTask task = new ContainerTask(
                request.getId(),
                host,
                bundle,
                options,
                new ProcessStdio.Addresses(
                        request.getStdin(), request.getStdout(), request.getStderr(), request.getTerminal()),
                request.getCheckpoint());
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
            if (Criu.installed()) {
                criu.annotate();
            }
            if (checkpoint.isEmpty()) {
                makeInit("create", createFlags());
            }
            record().save();
            host.events()
                    .publish(
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

    /** Each step, whatever becomes of the others. */
    private void undo(Exception cause) {
        for (Step step :
                List.<Step>of(init::abandon, this::stopWatching, () -> runc.deleteIfThere(id), bundle::unmountRootfs)) {
            try {
                step.run();
            } catch (IOException | RuntimeException e) {
                cause.addSuppressed(e);
            }
        }
    }

    @FunctionalInterface
    private interface Step {
        void run() throws IOException;
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

    private void makeInit(String call, List<String> flags) throws IOException {
        init.make(runc, host, bundle, id, call, flags, status -> ended(init, status));
        observe();
        if (!options.isRunc()) {
            // One that is just starting another program cannot be told yet: it is found when it has ended.
            host.exits().expectOrphans();
            HelperProcesses.watch(bundle.path(), init.pid(), host.exits());
        }
    }

    /** Looks at what is there of the container while its first process is. */
    private void observe() {
        try {
            sharesPids = sharesPids(init.pid());
            if (sharesPids) {
                host.exits().expectOrphans();
            }
            Cgroup found = Cgroup.of(init.pid());
            cgroup = found;
            Optional<MemoryEvents> memory = found.memoryEvents();
            if (memory.isPresent()) {
                oomWatch = Optional.of(host.ooms().watch(memory.get(), this::tellOom));
            }
        } catch (IOException e) {
            ShimLog.warn("cannot observe the cgroups of container " + id + ": " + e.getMessage());
        }
    }

    private void stopWatching() throws IOException {
        if (oomWatch.isPresent()) {
            oomWatch.get().close();
        }
        oomWatch = Optional.empty();
    }

    /** The last of its pids is that in its own namespace; see proc_pid_status(5). */
    private static boolean sharesPids(int pid) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc", Integer.toString(pid), "status"))) {
            return lines.anyMatch(line -> line.startsWith("NSpid:") && !line.endsWith("\t1"));
        }
    }

    /** Takes up a container that an earlier shim made. */
    static ContainerTask adopt(TaskRecord record, TaskHost host) throws IOException {
        TaskBundle bundle = new TaskBundle(record.bundle());
        ContainerTask task =
                new ContainerTask(record.id(), host, bundle, RuncOptions.load(bundle), record.addresses(), "");
        task.init.telling().lock();
        try {
            if (task.init.adopt(record, host.exits(), status -> task.ended(task.init, status))) {
                task.observe();
                return task;
            }
        } finally {
            task.init.telling().unlock();
        }
        // It ended while no shim was there. The daemon knows how, if it held the process.
        task.ended(task.init, ExitWatcher.UNKNOWN_STATUS);
        return task;
    }

    private TaskRecord record() {
        return new TaskRecord(
                id,
                bundle.path(),
                init.pid(),
                TaskRecord.startTime(init.pid()),
                init.started(),
                init.terminalPid(),
                init.addresses());
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
            makeInit("restore", flags);
        }
        init.markStarted();
        record().save();
        host.events()
                .publish(
                        "/tasks/start",
                        TaskStart.newBuilder()
                                .setContainerId(id)
                                .setPid(init.pid())
                                .build());
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
            process.make(
                    runc,
                    host,
                    bundle,
                    id,
                    "exec",
                    List.of("--detach", "--process", spec.toString()),
                    status -> ended(process, status));
            process.markStarted();
        } catch (IOException | RuntimeException e) {
            process.abandon();
            // Whoever waits for it must not wait for ever.
            process.exit().complete(new ContainerProcess.Exit(ExitWatcher.UNKNOWN_STATUS, Instant.now()));
            throw e;
        } finally {
            Files.deleteIfExists(spec);
        }
        host.events()
                .publish(
                        "/tasks/exec-started",
                        TaskExecStarted.newBuilder()
                                .setContainerId(id)
                                .setExecId(process.execId())
                                .setPid(process.pid())
                                .build());
    }

    /** @param spec the OCI process, as JSON */
    void addExec(String execId, ProcessStdio.Addresses addresses, Any spec) {
        String _ = Identifiers.check("exec", execId);
        if (execs.putIfAbsent(execId, new ContainerProcess(execId, addresses)) != null) {
            throw new AlreadyExistsException("process %s in container %s".formatted(execId, id));
        }
        execSpecs.put(execId, spec);
        host.events()
                .publish(
                        "/tasks/exec-added",
                        TaskExecAdded.newBuilder()
                                .setContainerId(id)
                                .setExecId(execId)
                                .build());
    }

    private void ended(ContainerProcess process, int status) {
        Instant at = Instant.now();
        boolean _ = tellOom();
        if (process == init) {
            endOthers();
        }
        process.finishStdio();
        process.telling().lock();
        try {
            host.events()
                    .publish(
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

    /** The end of a container's first process is told last. The kernel ends the others only where it was the first of a pid namespace. */
    private void endOthers() {
        try {
            if (sharesPids) {
                runc.run("kill", "--all", id, Integer.toString(SIGKILL));
            }
            for (ContainerProcess process : execs.values()) {
                if (process.started()) {
                    Object _ = process.exit().get(EXECS_SECONDS, TimeUnit.SECONDS);
                }
            }
        } catch (IOException | RuntimeException | ExecutionException | TimeoutException e) {
            ShimLog.warn("cannot end all processes of container " + id + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** @return whether there was something to tell */
    private synchronized boolean tellOom() {
        Cgroup current = cgroup;
        long kills = current == null ? 0 : current.oomKills();
        if (kills <= oomKills) {
            return false;
        }
        oomKills = kills;
        host.events()
                .publish("/tasks/oom", TaskOOM.newBuilder().setContainerId(id).build());
        return true;
    }

    /** Deletes a process that has ended, or was not started. */
    ContainerProcess.Exit delete(String execId) throws IOException {
        ContainerProcess process = process(execId);
        boolean created = process == init ? !process.started() : process.pid() == 0;
        if (!created && process.exited().isEmpty()) {
            throw new FailedPreconditionException("cannot delete a running process");
        }
        if (!execId.isEmpty()) {
            execs.remove(execId);
            execSpecs.remove(execId);
            Files.deleteIfExists(bundle.pidFile(execId));
        } else {
            stopWatching();
            runc.deleteIfThere(id);
            bundle.unmountRootfs();
        }
        return process.pid() == 0 ? new ContainerProcess.Exit(0, Instant.now()) : endOf(process);
    }

    /** A container that was not started has been killed only now. */
    private ContainerProcess.Exit endOf(ContainerProcess process) {
        try {
            return process.exit().get(EXECS_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new UnavailableException("process %d of container %s does not end".formatted(process.pid(), id), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new UnavailableException("interrupted while waiting for process %d".formatted(process.pid()), e);
        }
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
        criu.beforeCheckpoint(Stream.concat(Stream.of(init), execs.values().stream())
                .filter(process -> process.started() && process.exited().isEmpty())
                .map(ContainerProcess::pid)
                .toList());
        runc.run("checkpoint", Runc.Stdio.NULL, arguments);
    }

    private static void addIf(List<String> arguments, boolean condition, String flag) {
        if (condition) {
            arguments.add(flag);
        }
    }
}
