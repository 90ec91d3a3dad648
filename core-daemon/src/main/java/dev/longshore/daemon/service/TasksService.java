package dev.longshore.daemon.service;

import com.google.protobuf.Any;
import com.google.protobuf.Empty;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.longshore.api.runc.v1.CheckpointOptions;
import dev.longshore.api.runc.v1.Options;
import dev.longshore.api.services.tasks.v1.CheckpointTaskRequest;
import dev.longshore.api.services.tasks.v1.CheckpointTaskResponse;
import dev.longshore.api.services.tasks.v1.CloseIORequest;
import dev.longshore.api.services.tasks.v1.CreateTaskRequest;
import dev.longshore.api.services.tasks.v1.CreateTaskResponse;
import dev.longshore.api.services.tasks.v1.DeleteProcessRequest;
import dev.longshore.api.services.tasks.v1.DeleteResponse;
import dev.longshore.api.services.tasks.v1.DeleteTaskRequest;
import dev.longshore.api.services.tasks.v1.ExecProcessRequest;
import dev.longshore.api.services.tasks.v1.GetRequest;
import dev.longshore.api.services.tasks.v1.GetResponse;
import dev.longshore.api.services.tasks.v1.KillRequest;
import dev.longshore.api.services.tasks.v1.ListPidsRequest;
import dev.longshore.api.services.tasks.v1.ListPidsResponse;
import dev.longshore.api.services.tasks.v1.ListTasksRequest;
import dev.longshore.api.services.tasks.v1.ListTasksResponse;
import dev.longshore.api.services.tasks.v1.MetricsRequest;
import dev.longshore.api.services.tasks.v1.MetricsResponse;
import dev.longshore.api.services.tasks.v1.PauseTaskRequest;
import dev.longshore.api.services.tasks.v1.ResizePtyRequest;
import dev.longshore.api.services.tasks.v1.ResumeTaskRequest;
import dev.longshore.api.services.tasks.v1.StartRequest;
import dev.longshore.api.services.tasks.v1.StartResponse;
import dev.longshore.api.services.tasks.v1.TasksGrpc;
import dev.longshore.api.services.tasks.v1.UpdateTaskRequest;
import dev.longshore.api.services.tasks.v1.WaitRequest;
import dev.longshore.api.services.tasks.v1.WaitResponse;
import dev.longshore.api.types.Metric;
import dev.longshore.api.v1.types.Process;
import dev.longshore.api.v1.types.ProcessInfo;
import dev.longshore.api.v1.types.Status;
import dev.longshore.daemon.metadata.Container;
import dev.longshore.daemon.metadata.ContainerStore;
import dev.longshore.daemon.runtime.CreateTask;
import dev.longshore.daemon.runtime.ExecProcess;
import dev.longshore.daemon.runtime.Exit;
import dev.longshore.daemon.runtime.ProcessState;
import dev.longshore.daemon.runtime.Task;
import dev.longshore.daemon.runtime.TaskIo;
import dev.longshore.daemon.runtime.TaskMetric;
import dev.longshore.daemon.runtime.TaskRuntime;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.typeurl.TypedValue;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import dev.longshore.transport.serve.Protos;
import io.grpc.Context;
import io.grpc.stub.StreamObserver;
import java.util.Optional;

/** Serves {@code containerd.services.tasks.v1.Tasks}. */
public final class TasksService extends TasksGrpc.TasksImplBase {

    private static final String RUNC_OPTIONS = "containerd.runc.v1.Options";
    private static final String CHECKPOINT_OPTIONS = "containerd.runc.v1.CheckpointOptions";

    private final TaskRuntime runtime;
    private final ContainerStore containers;

    public TasksService(TaskRuntime runtime, ContainerStore containers) {
        this.runtime = runtime;
        this.containers = containers;
    }

    private Task task(String id) {
        return runtime.get(CallContexts.current(), id);
    }

    @Override
    public void create(CreateTaskRequest request, StreamObserver<CreateTaskResponse> observer) {
        Unary.answer(observer, () -> {
            CallContext context = CallContexts.current();
            Container container = containers.get(context.requireNamespace(), request.getContainerId());
            if (request.hasCheckpoint()) {
                throw new UnimplementedException(
                        "a task cannot be restored from content yet: unpack the checkpoint, and name its folder with criu_image_path");
            }
            Optional<TypedValue> options = Types.typed(request.hasOptions(), request.getOptions());
            Task task = runtime.create(
                    context,
                    new CreateTask(
                            container.id(),
                            container.spec(),
                            request.getRuntimePath().isEmpty() ? container.runtime() : request.getRuntimePath(),
                            container.options(),
                            options,
                            Protos.mountRecords(request.getRootfsList()),
                            new TaskIo(
                                    request.getStdin(),
                                    request.getStdout(),
                                    request.getStderr(),
                                    request.getTerminal()),
                            restorePath(options),
                            false));
            return CreateTaskResponse.newBuilder()
                    .setContainerId(task.id())
                    .setPid(task.pid())
                    .build();
        });
    }

    /** The folder of a checkpoint that runc's options name. */
    private static Optional<String> restorePath(Optional<TypedValue> options) {
        if (options.isEmpty() || !options.get().typeName().equals(RUNC_OPTIONS)) {
            return Optional.empty();
        }
        try {
            return Fields.set(Options.parseFrom(options.get().value()).getCriuImagePath());
        } catch (InvalidProtocolBufferException e) {
            throw new InvalidArgumentException("options of the task cannot be read as " + RUNC_OPTIONS, e);
        }
    }

    @Override
    public void start(StartRequest request, StreamObserver<StartResponse> observer) {
        Unary.answer(
                observer,
                () -> StartResponse.newBuilder()
                        .setPid(task(request.getContainerId())
                                .start(
                                        request.getExecId(),
                                        CallContexts.current().deadline()))
                        .build());
    }

    @Override
    public void delete(DeleteTaskRequest request, StreamObserver<DeleteResponse> observer) {
        Unary.answer(
                observer,
                () -> deleted(
                        request.getContainerId(), runtime.delete(CallContexts.current(), request.getContainerId())));
    }

    @Override
    public void deleteProcess(DeleteProcessRequest request, StreamObserver<DeleteResponse> observer) {
        Unary.answer(
                observer,
                () -> deleted(
                        request.getExecId(),
                        task(request.getContainerId())
                                .deleteExec(
                                        request.getExecId(),
                                        CallContexts.current().deadline())));
    }

    private static DeleteResponse deleted(String id, Exit exit) {
        return DeleteResponse.newBuilder()
                .setId(id)
                .setPid(exit.pid())
                .setExitStatus(exit.status())
                .setExitedAt(Protos.timestamp(exit.at()))
                .build();
    }

    @Override
    public void get(GetRequest request, StreamObserver<GetResponse> observer) {
        Unary.answer(
                observer,
                () -> GetResponse.newBuilder()
                        .setProcess(process(
                                request.getContainerId(),
                                task(request.getContainerId())
                                        .state(
                                                request.getExecId(),
                                                CallContexts.current().deadline())))
                        .build());
    }

    @Override
    public void list(ListTasksRequest request, StreamObserver<ListTasksResponse> observer) {
        Unary.answer(
                observer,
                () -> ListTasksResponse.newBuilder()
                        .addAllTasks(runtime.list(CallContexts.current()).stream()
                                .map(state -> process(state.id(), state))
                                .toList())
                        .build());
    }

    private static Process process(String containerId, ProcessState state) {
        Process.Builder process = Process.newBuilder()
                .setContainerId(containerId)
                .setId(state.id())
                .setPid(state.pid())
                .setStatus(status(state.status()))
                .setStdin(state.io().stdin())
                .setStdout(state.io().stdout())
                .setStderr(state.io().stderr())
                .setTerminal(state.io().terminal())
                .setExitStatus(state.exitStatus());
        state.exitedAt().ifPresent(at -> process.setExitedAt(Protos.timestamp(at)));
        return process.build();
    }

    private static Status status(ProcessState.Status status) {
        return switch (status) {
            case UNKNOWN -> Status.UNKNOWN;
            case CREATED -> Status.CREATED;
            case RUNNING -> Status.RUNNING;
            case STOPPED -> Status.STOPPED;
            case PAUSED -> Status.PAUSED;
            case PAUSING -> Status.PAUSING;
        };
    }

    @Override
    public void kill(KillRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> task(request.getContainerId())
                        .kill(
                                request.getExecId(),
                                request.getSignal(),
                                request.getAll(),
                                CallContexts.current().deadline()));
    }

    @Override
    public void exec(ExecProcessRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> task(request.getContainerId())
                        .exec(
                                new ExecProcess(
                                        request.getExecId(),
                                        new TaskIo(
                                                request.getStdin(),
                                                request.getStdout(),
                                                request.getStderr(),
                                                request.getTerminal()),
                                        Types.typed(request.hasSpec(), request.getSpec())),
                                CallContexts.current().deadline()));
    }

    @Override
    public void resizePty(ResizePtyRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> task(request.getContainerId())
                        .resizePty(
                                request.getExecId(),
                                request.getWidth(),
                                request.getHeight(),
                                CallContexts.current().deadline()));
    }

    @Override
    public void closeIO(CloseIORequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(observer, () -> {
            if (request.getStdin()) {
                task(request.getContainerId())
                        .closeStdin(request.getExecId(), CallContexts.current().deadline());
            }
        });
    }

    @Override
    public void pause(PauseTaskRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> task(request.getContainerId())
                        .pause(CallContexts.current().deadline()));
    }

    @Override
    public void resume(ResumeTaskRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> task(request.getContainerId())
                        .resume(CallContexts.current().deadline()));
    }

    @Override
    public void listPids(ListPidsRequest request, StreamObserver<ListPidsResponse> observer) {
        Unary.answer(observer, () -> {
            ListPidsResponse.Builder response = ListPidsResponse.newBuilder();
            task(request.getContainerId())
                    .pids(CallContexts.current().deadline())
                    .forEach(process -> {
                        ProcessInfo.Builder info = ProcessInfo.newBuilder().setPid(process.pid());
                        process.info().ifPresent(value -> info.setInfo(Types.any(value)));
                        response.addProcesses(info);
                    });
            return response.build();
        });
    }

    @Override
    public void checkpoint(CheckpointTaskRequest request, StreamObserver<CheckpointTaskResponse> observer) {
        Unary.answer(observer, () -> {
            String image = checkpointImage(request.getOptions());
            if (image.isEmpty()) {
                throw new UnimplementedException(
                        "a checkpoint cannot be written to content yet: name a folder for it with image_path (ctr: --image-path)");
            }
            task(request.getContainerId())
                    .checkpoint(
                            image,
                            Types.typed(request.hasOptions(), request.getOptions()),
                            CallContexts.current().deadline());
            return CheckpointTaskResponse.getDefaultInstance();
        });
    }

    private static String checkpointImage(Any options) {
        if (!Types.typed(options).typeName().equals(CHECKPOINT_OPTIONS)) {
            return "";
        }
        try {
            return CheckpointOptions.parseFrom(options.getValue()).getImagePath();
        } catch (InvalidProtocolBufferException e) {
            throw new InvalidArgumentException("options of the checkpoint cannot be read as " + CHECKPOINT_OPTIONS, e);
        }
    }

    @Override
    public void update(UpdateTaskRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(
                observer,
                () -> task(request.getContainerId())
                        .update(
                                Types.typed(request.hasResources(), request.getResources()),
                                request.getAnnotationsMap(),
                                CallContexts.current().deadline()));
    }

    @Override
    public void metrics(MetricsRequest request, StreamObserver<MetricsResponse> observer) {
        Unary.answer(observer, () -> {
            Filter filter = Filter.any(request.getFiltersList());
            CallContext context = CallContexts.current();
            MetricsResponse.Builder response = MetricsResponse.newBuilder();
            for (TaskMetric metric : runtime.metrics(context, id -> filter.matches(fields(context, id)))) {
                Metric.Builder builder =
                        Metric.newBuilder().setId(metric.id()).setTimestamp(Protos.timestamp(metric.timestamp()));
                metric.data().ifPresent(data -> builder.setData(Types.any(data)));
                response.addMetrics(builder);
            }
            return response.build();
        });
    }

    private static Fields fields(CallContext context, String id) {
        return path -> switch (path.getFirst()) {
            case "id" -> Optional.of(id);
            case "namespace" -> context.namespace().map(namespace -> namespace.value());
            default -> Optional.empty();
        };
    }

    @Override
    public void wait(WaitRequest request, StreamObserver<WaitResponse> observer) {
        // It may take years: not on a thread that is kept for short calls.
        Thread.startVirtualThread(Context.current().wrap(() -> awaitExit(request, observer)));
    }

    private void awaitExit(WaitRequest request, StreamObserver<WaitResponse> observer) {
        Context call = Context.current();
        Thread waiting = Thread.currentThread();
        // A client that leaves must not leave a thread behind that waits for a task that runs for years.
        Context.CancellationListener wake = cancelled -> waiting.interrupt();
        call.addListener(wake, Runnable::run);
        try {
            Unary.answer(observer, () -> {
                Exit exit = task(request.getContainerId())
                        .await(request.getExecId(), CallContexts.current().deadline());
                return WaitResponse.newBuilder()
                        .setExitStatus(exit.status())
                        .setExitedAt(Protos.timestamp(exit.at()))
                        .build();
            });
        } finally {
            call.removeListener(wake);
        }
    }
}
