package dev.longshore.testkit;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Empty;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import dev.longshore.api.task.v2.CloseIORequest;
import dev.longshore.api.task.v2.ConnectRequest;
import dev.longshore.api.task.v2.ConnectResponse;
import dev.longshore.api.task.v2.CreateTaskRequest;
import dev.longshore.api.task.v2.CreateTaskResponse;
import dev.longshore.api.task.v2.DeleteRequest;
import dev.longshore.api.task.v2.DeleteResponse;
import dev.longshore.api.task.v2.ExecProcessRequest;
import dev.longshore.api.task.v2.KillRequest;
import dev.longshore.api.task.v2.PauseRequest;
import dev.longshore.api.task.v2.PidsRequest;
import dev.longshore.api.task.v2.PidsResponse;
import dev.longshore.api.task.v2.ResizePtyRequest;
import dev.longshore.api.task.v2.ResumeRequest;
import dev.longshore.api.task.v2.ShutdownRequest;
import dev.longshore.api.task.v2.StartRequest;
import dev.longshore.api.task.v2.StartResponse;
import dev.longshore.api.task.v2.StateRequest;
import dev.longshore.api.task.v2.StateResponse;
import dev.longshore.api.task.v2.StatsRequest;
import dev.longshore.api.task.v2.StatsResponse;
import dev.longshore.api.task.v2.UpdateTaskRequest;
import dev.longshore.api.task.v2.WaitRequest;
import dev.longshore.api.task.v2.WaitResponse;
import dev.longshore.api.types.Mount;
import dev.longshore.api.v1.types.Status;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.ttrpc.TtrpcClient;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.awaitility.Awaitility;

/**
 * A container behind a shim, and the calls that a daemon makes for it. Everything that it has left is cleared away when it is
 * closed.
 *
 * @param id of the container
 * @param log what its shim says in the bundle's fifo, which a daemon makes and reads
 * @param started how its shim is reached
 */
public record ShimTask(
        ShimProgram program,
        String namespace,
        String id,
        ContainerBundle bundle,
        FifoReader log,
        ShimProgram.Started started,
        TtrpcClient client)
        implements AutoCloseable {

    private static final Duration TIMEOUT = Duration.ofMinutes(1);
    private static final int SIGKILL = 9;

    /** Where the processes of a container read from and write to; empty for nowhere. */
    public record Stdio(String stdin, String stdout, String stderr) {

        public static final Stdio NULL = new Stdio("", "", "");

        /** Both kinds of output to one fifo. */
        public static Stdio output(Path fifo) {
            return new Stdio("", fifo.toString(), fifo.toString());
        }

        public static Stdio of(Path stdin, Path output) {
            return new Stdio(stdin.toString(), output.toString(), output.toString());
        }
    }

    /** Starts or finds the shim of a container, and connects to it. */
    public static ShimTask start(ShimProgram program, String namespace, String id, ContainerBundle bundle, Any options)
            throws IOException {
        FifoReader log = FifoReader.start(bundle.path().resolve("log"));
        try {
            ShimProgram.Started started = program.start(namespace, id, bundle.path(), options);
            TtrpcClient client = TtrpcClient.connect(started.address(), TIMEOUT);
            return new ShimTask(program, namespace, id, bundle, log, started, client);
        } catch (IOException | RuntimeException | Error e) {
            log.close();
            throw e;
        }
    }

    /** Calls a method of the Task service. */
    public <A> A call(String method, Message request, Parser<A> answers) {
        return client.call(started.service(), method, request, answers, CallContext.of(namespace, TIMEOUT));
    }

    /**
     * Makes the container, with {@code root} as its root file system.
     *
     * @return the pid of its first process
     */
    public int create(Path root, boolean terminal, Stdio stdio, Any options) {
        return call(
                        "Create",
                        CreateTaskRequest.newBuilder()
                                .setId(id)
                                .setBundle(bundle.path().toString())
                                .addRootfs(Mount.newBuilder()
                                        .setType("bind")
                                        .setSource(root.toString())
                                        .addAllOptions(List.of("rbind", "rw")))
                                .setTerminal(terminal)
                                .setStdin(stdio.stdin())
                                .setStdout(stdio.stdout())
                                .setStderr(stdio.stderr())
                                .setOptions(options)
                                .build(),
                        CreateTaskResponse.parser())
                .getPid();
    }

    /** @param execId empty for the container's first process; so everywhere below */
    public int start(String execId) {
        return call(
                        "Start",
                        StartRequest.newBuilder().setId(id).setExecId(execId).build(),
                        StartResponse.parser())
                .getPid();
    }

    public void exec(String execId, boolean terminal, Stdio stdio, List<String> arguments) {
        Empty _ = call(
                "Exec",
                ExecProcessRequest.newBuilder()
                        .setId(id)
                        .setExecId(execId)
                        .setTerminal(terminal)
                        .setStdin(stdio.stdin())
                        .setStdout(stdio.stdout())
                        .setStderr(stdio.stderr())
                        .setSpec(Any.newBuilder()
                                .setTypeUrl("types.containerd.io/opencontainers/runtime-spec/1/Process")
                                .setValue(ByteString.copyFrom(ContainerBundle.processJson(arguments, terminal))))
                        .build(),
                Empty.parser());
    }

    /** Executes a program, waits for it, and deletes it. */
    public int run(String execId, String... arguments) {
        exec(execId, false, Stdio.NULL, List.of(arguments));
        int _ = start(execId);
        WaitResponse _ = await(execId);
        return delete(execId).getExitStatus();
    }

    public WaitResponse await(String execId) {
        return call("Wait", WaitRequest.newBuilder().setId(id).setExecId(execId).build(), WaitResponse.parser());
    }

    public StateResponse state(String execId) {
        return call(
                "State", StateRequest.newBuilder().setId(id).setExecId(execId).build(), StateResponse.parser());
    }

    public void awaitStatus(String execId, Status status) {
        Awaitility.await().atMost(TIMEOUT).until(() -> state(execId).getStatus() == status);
    }

    public DeleteResponse delete(String execId) {
        return call(
                "Delete", DeleteRequest.newBuilder().setId(id).setExecId(execId).build(), DeleteResponse.parser());
    }

    public void kill(String execId, int signal, boolean all) {
        Empty _ = call(
                "Kill",
                KillRequest.newBuilder()
                        .setId(id)
                        .setExecId(execId)
                        .setSignal(signal)
                        .setAll(all)
                        .build(),
                Empty.parser());
    }

    public void pause() {
        Empty _ = call("Pause", PauseRequest.newBuilder().setId(id).build(), Empty.parser());
    }

    public void resume() {
        Empty _ = call("Resume", ResumeRequest.newBuilder().setId(id).build(), Empty.parser());
    }

    public PidsResponse pids() {
        return call("Pids", PidsRequest.newBuilder().setId(id).build(), PidsResponse.parser());
    }

    public Any stats() {
        return call("Stats", StatsRequest.newBuilder().setId(id).build(), StatsResponse.parser())
                .getStats();
    }

    /** @param resources an OCI LinuxResources, as JSON */
    public void update(String resources) {
        Empty _ = call(
                "Update",
                UpdateTaskRequest.newBuilder()
                        .setId(id)
                        .setResources(Any.newBuilder()
                                .setTypeUrl("types.containerd.io/opencontainers/runtime-spec/1/LinuxResources")
                                .setValue(ByteString.copyFromUtf8(resources)))
                        .build(),
                Empty.parser());
    }

    public void resize(String execId, int columns, int rows) {
        Empty _ = call(
                "ResizePty",
                ResizePtyRequest.newBuilder()
                        .setId(id)
                        .setExecId(execId)
                        .setWidth(columns)
                        .setHeight(rows)
                        .build(),
                Empty.parser());
    }

    public void closeStdin(String execId) {
        Empty _ = call(
                "CloseIO",
                CloseIORequest.newBuilder()
                        .setId(id)
                        .setExecId(execId)
                        .setStdin(true)
                        .build(),
                Empty.parser());
    }

    public ConnectResponse connect() {
        return call("Connect", ConnectRequest.newBuilder().setId(id).build(), ConnectResponse.parser());
    }

    /** Asks the shim to end; one that has containers does not. */
    public void shutdown() {
        Empty _ = call("Shutdown", ShutdownRequest.newBuilder().setId(id).build(), Empty.parser());
    }

    /** Kills the shim as the kernel would, out of memory, and returns when it is gone. */
    public void killShim() {
        ProcessHandle shim =
                ProcessHandle.of(Integer.toUnsignedLong(connect().getShimPid())).orElseThrow();
        shim.destroyForcibly();
        Awaitility.await().atMost(TIMEOUT).until(() -> !shim.isAlive());
    }

    @Override
    public void close() throws IOException {
        try (log;
                client) {
            attempt(() -> kill("", SIGKILL, true));
            attempt(() -> await(""));
            attempt(() -> delete(""));
            boolean gone = gone();
            attempt(this::shutdown);
            if (!gone) {
                byte[] _ = program.call(namespace, id, bundle.path(), new byte[0], "delete");
            }
        }
        Mounts.unmountAll(bundle.rootfs());
    }

    private boolean gone() {
        try {
            StateResponse _ = state("");
            return false;
        } catch (NotFoundException e) {
            return true;
        } catch (ContainerdException e) {
            return false;
        }
    }

    /** A step that fails where the container is not that far, or farther. */
    private static void attempt(Runnable step) {
        try {
            step.run();
        } catch (ContainerdException e) {
            assert e.getMessage() != null;
        }
    }
}
