package dev.longshore.shim;

import com.google.protobuf.Any;
import com.google.protobuf.Empty;
import com.google.protobuf.Message;
import dev.longshore.api.events.TaskCheckpointed;
import dev.longshore.api.events.TaskDelete;
import dev.longshore.api.events.TaskPaused;
import dev.longshore.api.events.TaskResumed;
import dev.longshore.api.runc.v1.CheckpointOptions;
import dev.longshore.api.runc.v1.ProcessDetails;
import dev.longshore.api.task.v2.CheckpointTaskRequest;
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
import dev.longshore.api.v1.types.ProcessInfo;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.ttrpc.TtrpcService;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The Task service. Versions 2 and 3 have the same messages, so that one set of methods serves both. */
final class TaskApi {

    private final Tasks tasks;
    private final EventForwarder events;
    private final IdleExit idle;

    TaskApi(Tasks tasks, EventForwarder events, IdleExit idle) {
        this.tasks = tasks;
        this.events = events;
        this.idle = idle;
    }

    List<TtrpcService> services() {
        return List.of(service("containerd.task.v2.Task"), service("containerd.task.v3.Task"));
    }

    private TtrpcService service(String name) {
        return new TtrpcService(name)
                .unary("State", StateRequest.parser(), (context, request) -> state(request))
                .unary("Create", CreateTaskRequest.parser(), (context, request) -> create(request))
                .unary("Start", StartRequest.parser(), (context, request) -> start(request))
                .unary("Delete", DeleteRequest.parser(), (context, request) -> delete(request))
                .unary("Pids", PidsRequest.parser(), (context, request) -> pids(request))
                .unary("Pause", PauseRequest.parser(), (context, request) -> pause(request))
                .unary("Resume", ResumeRequest.parser(), (context, request) -> resume(request))
                .unary("Checkpoint", CheckpointTaskRequest.parser(), (context, request) -> checkpoint(request))
                .unary("Kill", KillRequest.parser(), (context, request) -> kill(request))
                .unary("Exec", ExecProcessRequest.parser(), (context, request) -> exec(request))
                .unary("ResizePty", ResizePtyRequest.parser(), (context, request) -> resize(request))
                .unary("CloseIO", CloseIORequest.parser(), (context, request) -> closeIo(request))
                .unary("Update", UpdateTaskRequest.parser(), (context, request) -> update(request))
                .unary(
                        "Wait",
                        WaitRequest.parser(),
                        (context, request) ->
                                await(request, context.deadline().remaining().toNanos()))
                .unary("Stats", StatsRequest.parser(), (context, request) -> stats(request))
                .unary("Connect", ConnectRequest.parser(), (context, request) -> connect(request))
                .unary("Shutdown", ShutdownRequest.parser(), (context, request) -> shutdown());
    }

    private StateResponse state(StateRequest request) {
        ContainerTask task = tasks.get(request.getId());
        ContainerProcess process = task.process(request.getExecId());
        StateResponse.Builder state = StateResponse.newBuilder()
                .setId(process.execId().isEmpty() ? task.id() : process.execId())
                .setBundle(task.bundle().path().toString())
                .setPid(process.pid())
                .setStatus(task.status(process))
                .setStdin(process.addresses().stdin())
                .setStdout(process.addresses().stdout())
                .setStderr(process.addresses().stderr())
                .setTerminal(process.addresses().terminal())
                .setExecId(process.execId());
        process.exited().ifPresent(exit -> state.setExitStatus(exit.status()).setExitedAt(Timestamps.of(exit.at())));
        return state.build();
    }

    private CreateTaskResponse create(CreateTaskRequest request) throws IOException {
        idle.busy();
        ContainerTask task = tasks.create(request);
        return CreateTaskResponse.newBuilder().setPid(task.init().pid()).build();
    }

    private StartResponse start(StartRequest request) throws IOException {
        ContainerTask task = tasks.get(request.getId());
        task.start(request.getExecId());
        return StartResponse.newBuilder()
                .setPid(task.process(request.getExecId()).pid())
                .build();
    }

    private DeleteResponse delete(DeleteRequest request) throws IOException {
        ContainerTask task = tasks.get(request.getId());
        ContainerProcess process = task.process(request.getExecId());
        ContainerProcess.Exit exit = task.delete(request.getExecId());
        if (request.getExecId().isEmpty()) {
            if (!tasks.forget(task.id())) {
                throw new NotFoundException("container " + task.id() + " was deleted meanwhile");
            }
            events.publish(
                    "/tasks/delete",
                    TaskDelete.newBuilder()
                            .setContainerId(task.id())
                            .setId(task.id())
                            .setPid(process.pid())
                            .setExitStatus(exit.status())
                            .setExitedAt(Timestamps.of(exit.at()))
                            .build());
            idle.maybe();
        }
        return DeleteResponse.newBuilder()
                .setPid(process.pid())
                .setExitStatus(exit.status())
                .setExitedAt(Timestamps.of(exit.at()))
                .build();
    }

    private PidsResponse pids(PidsRequest request) throws IOException {
        ContainerTask task = tasks.get(request.getId());
        PidsResponse.Builder pids = PidsResponse.newBuilder();
        for (int pid : task.pids()) {
            ProcessInfo.Builder process = ProcessInfo.newBuilder().setPid(pid);
            task.execIdOf(pid)
                    .ifPresent(execId -> process.setInfo(
                            any(ProcessDetails.newBuilder().setExecId(execId).build())));
            pids.addProcesses(process);
        }
        return pids.build();
    }

    private Empty pause(PauseRequest request) throws IOException {
        tasks.get(request.getId()).pause();
        events.publish(
                "/tasks/paused",
                TaskPaused.newBuilder().setContainerId(request.getId()).build());
        return Empty.getDefaultInstance();
    }

    private Empty resume(ResumeRequest request) throws IOException {
        tasks.get(request.getId()).resume();
        events.publish(
                "/tasks/resumed",
                TaskResumed.newBuilder().setContainerId(request.getId()).build());
        return Empty.getDefaultInstance();
    }

    private Empty checkpoint(CheckpointTaskRequest request) throws IOException {
        tasks.get(request.getId())
                .checkpoint(
                        Path.of(request.getPath()),
                        CheckpointOptions.parseFrom(request.getOptions().getValue()));
        events.publish(
                "/tasks/checkpointed",
                TaskCheckpointed.newBuilder()
                        .setContainerId(request.getId())
                        .setCheckpoint(request.getPath())
                        .build());
        return Empty.getDefaultInstance();
    }

    private Empty kill(KillRequest request) throws IOException {
        tasks.get(request.getId()).kill(request.getExecId(), request.getSignal(), request.getAll());
        return Empty.getDefaultInstance();
    }

    private Empty exec(ExecProcessRequest request) {
        tasks.get(request.getId())
                .addExec(
                        request.getExecId(),
                        new ProcessStdio.Addresses(
                                request.getStdin(), request.getStdout(), request.getStderr(), request.getTerminal()),
                        request.getSpec());
        return Empty.getDefaultInstance();
    }

    private Empty resize(ResizePtyRequest request) throws IOException {
        tasks.get(request.getId()).process(request.getExecId()).resize(request.getWidth(), request.getHeight());
        return Empty.getDefaultInstance();
    }

    private Empty closeIo(CloseIORequest request) throws IOException {
        if (request.getStdin()) {
            tasks.get(request.getId()).process(request.getExecId()).closeStdin();
        }
        return Empty.getDefaultInstance();
    }

    private Empty update(UpdateTaskRequest request) throws IOException {
        tasks.get(request.getId()).update(request.getResources().getValue().toByteArray());
        return Empty.getDefaultInstance();
    }

    private WaitResponse await(WaitRequest request, long nanos) throws Exception {
        ContainerProcess process = tasks.get(request.getId()).process(request.getExecId());
        ContainerProcess.Exit exit;
        try {
            exit = process.exit().get(nanos, TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new DeadlineExceededException("process %d still runs".formatted(process.pid()), e);
        }
        return WaitResponse.newBuilder()
                .setExitStatus(exit.status())
                .setExitedAt(Timestamps.of(exit.at()))
                .build();
    }

    private StatsResponse stats(StatsRequest request) throws IOException {
        return StatsResponse.newBuilder()
                .setStats(any(tasks.get(request.getId()).metrics()))
                .build();
    }

    private ConnectResponse connect(ConnectRequest request) {
        ConnectResponse.Builder answer = ConnectResponse.newBuilder()
                .setShimPid((int) ProcessHandle.current().pid());
        tasks.find(request.getId())
                .ifPresent(task -> answer.setTaskPid(task.init().pid()));
        return answer.build();
    }

    /** The process ends by itself some time after its last container: until then the next one finds it warm. */
    private Empty shutdown() {
        idle.maybe();
        return Empty.getDefaultInstance();
    }

    /** Without protobuf's prefix, as Go's typeurl writes it. */
    private static Any any(Message message) {
        return Any.newBuilder()
                .setTypeUrl(message.getDescriptorForType().getFullName())
                .setValue(message.toByteString())
                .build();
    }
}
