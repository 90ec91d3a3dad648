package dev.longshore.daemon.runtime;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.longshore.api.events.TaskExit;
import dev.longshore.api.task.v3.CreateTaskRequest;
import dev.longshore.api.task.v3.DeleteRequest;
import dev.longshore.api.types.Mount;
import dev.longshore.api.types.RuntimeInfo;
import dev.longshore.api.types.RuntimeRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.event.Envelope;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes tasks, finds them, and ends them: containerd's runtime v2.
 *
 * <p>Nothing is kept but the table of tasks. What is on disk is in the bundles, and the state of a process is asked of its
 * shim each time. Calls to shims are made outside of all locks, with a deadline each, so that a shim that hangs holds up
 * nobody but who asked for it.
 *
 * <p>After {@link #loadBundles} the tasks of an earlier daemon are known at once; a call to one that is still being
 * reached waits for that one only.
 */
public final class TaskRuntime implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(TaskRuntime.class);

    private final RuntimeConfig config;
    private final ShimBinary binaries;
    private final ShimStarter starter;
    private final Shims shims;
    private final LostShims lostShims;
    private final ShimLogs logs;
    private final TaskLoader loader;
    private final TaskTable tasks = new TaskTable();
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    /** Makes the folders for bundles, and nothing else yet; see {@link #loadBundles}. */
    public TaskRuntime(RuntimeConfig config, Containers containers, EventPublisher events) throws IOException {
        this(config, containers, events, TtrpcShimConnection::connect);
    }

    TaskRuntime(RuntimeConfig config, Containers containers, EventPublisher events, ShimConnection.Connector connector)
            throws IOException {
        Bundle.makeFolders(config.state());
        Bundle.makeFolders(config.root());
        this.config = config;
        this.binaries = new ShimBinary(config.path(), config.distributionBin());
        this.starter = new ShimStarter(config);
        this.shims = new Shims(starter, connector);
        this.lostShims = new LostShims(starter, shims, config.timeouts(), events);
        this.logs = new ShimLogs();
        this.loader = new TaskLoader(config, containers, binaries, shims, lostShims, this::open, this::onLost);
    }

    /**
     * Finds the tasks that an earlier daemon left, and reaches for their shims in the background. To be called once,
     * before the first call is served.
     *
     * @return done when each was reached or given up
     */
    public CompletableFuture<Void> loadBundles() throws IOException {
        List<CompletableFuture<?>> loads = new ArrayList<>();
        for (Bundle bundle : loader.bundles()) {
            CompletableFuture<Optional<Task>> load = tasks.loading(bundle.namespace(), bundle.id());
            loads.add(load);
            threads.execute(() -> {
                Optional<Task> task = Optional.empty();
                try {
                    task = loader.load(bundle);
                } catch (RuntimeException e) {
                    LOG.atError()
                            .addKeyValue("namespace", bundle.namespace())
                            .addKeyValue("id", bundle.id())
                            .setCause(e)
                            .log("Task cannot be loaded");
                } finally {
                    tasks.loaded(bundle.namespace(), bundle.id(), load, task);
                }
            });
        }
        return CompletableFuture.allOf(loads.toArray(CompletableFuture[]::new))
                .thenRunAsync(() -> loader.removeWorkWithoutTask(tasks::contains), threads);
    }

    /**
     * Makes the task of a container: its bundle, its shim, and in that the container, not yet started.
     *
     * @throws AlreadyExistsException if there is one
     * @throws InvalidArgumentException if the runtime's name or the specification is none
     */
    public Task create(CallContext context, CreateTask request) {
        NamespaceId namespace = context.requireNamespace();
        Path binary = binaries.resolve(request.runtime());
        try (TaskTable.Reservation reservation = tasks.reserve(namespace, request.id())) {
            Bundle bundle = makeBundle(namespace, request, binary);
            ShimLink link = new ShimLink(request.id(), binary, request.options());
            Task task = open(bundle, link);
            try {
                Deadline deadline = context.deadline();
                ShimClient shim = shims.start(
                        bundle,
                        link,
                        deadline.earlier(Deadline.after(config.timeouts().start())));
                // Others may call the shim from now on: it publishes the task before it answers.
                link.attach(shim, () -> onLost(task));
                reservation.fill(task);
                int pid = shim.create(
                                createRequest(bundle, request),
                                deadline.earlier(
                                        Deadline.after(config.timeouts().slowCall())))
                        .getPid();
                task.init().running(pid);
                return task;
            } catch (RuntimeException e) {
                tasks.remove(task);
                undo(task);
                throw e;
            }
        }
    }

    private Bundle makeBundle(NamespaceId namespace, CreateTask request, Path binary) {
        try {
            try {
                return Bundle.create(config.state(), config.root(), namespace, request.id(), request.spec());
            } catch (AlreadyExistsException e) {
                // No task has it: one whose bundle could not be removed left it.
                Bundle left = Bundle.of(config.state(), namespace, request.id());
                lostShims.clean(left, new ShimLink(request.id(), binary, Optional.empty()));
                return Bundle.create(config.state(), config.root(), namespace, request.id(), request.spec());
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make the bundle of task " + request.id() + ": " + e.getMessage(), e);
        }
    }

    private static CreateTaskRequest createRequest(Bundle bundle, CreateTask request) {
        CreateTaskRequest.Builder message = CreateTaskRequest.newBuilder()
                .setId(bundle.id())
                .setBundle(bundle.path().toString())
                .setTerminal(request.io().terminal())
                .setStdin(request.io().stdin())
                .setStdout(request.io().stdout())
                .setStderr(request.io().stderr());
        request.checkpoint().ifPresent(message::setCheckpoint);
        request.options().ifPresent(options -> message.setOptions(ShimStarter.any(options)));
        for (dev.longshore.sdk.mount.Mount mount : request.rootfs()) {
            message.addRootfs(Mount.newBuilder()
                    .setType(mount.type())
                    .setSource(mount.source())
                    .setTarget(mount.target())
                    .addAllOptions(mount.options()));
        }
        return message.build();
    }

    /** After a creation that failed: whatever there is of shim, container and bundle goes. */
    private void undo(Task task) {
        task.link().end().ifPresent(shim -> {
            try (shim) {
                Deadline deadline = Deadline.after(config.timeouts().cleanup());
                shim.delete(DeleteRequest.newBuilder().setId(task.id()).build(), deadline);
            } catch (ContainerdException e) {
                LOG.atDebug()
                        .addKeyValue("namespace", task.namespace())
                        .addKeyValue("id", task.id())
                        .addKeyValue("err", e.getMessage())
                        .log("Shim did not delete a task that could not be created");
            }
            shutdown(task, shim);
        });
        lostShims.clean(task.bundle(), task.link());
        close(task);
    }

    /**
     * The task of a container.
     *
     * @throws NotFoundException if there is none
     * @throws UnavailableException if an earlier daemon left it and its shim has not been reached in time
     */
    public Task get(CallContext context, String id) {
        Deadline deadline =
                context.deadline().earlier(Deadline.after(config.timeouts().load()));
        return tasks.get(context.requireNamespace(), id, deadline);
    }

    /**
     * The states of all tasks of the namespace, each asked for at the same time. A task whose shim does not answer in
     * {@link RuntimeTimeouts#state} is told as {@link ProcessState.Status#UNKNOWN}, one that ended meanwhile is left out.
     */
    public List<ProcessState> list(CallContext context) {
        Deadline deadline =
                context.deadline().earlier(Deadline.after(config.timeouts().state()));
        return ask(context.requireNamespace(), id -> true, ref -> {
            int pid = 0;
            try {
                Task task = tasks.get(ref.namespace(), ref.id(), deadline);
                pid = task.pid();
                return task.state("", deadline);
            } catch (NotFoundException e) {
                return null;
            } catch (ContainerdException e) {
                LOG.atWarn()
                        .addKeyValue("namespace", ref.namespace())
                        .addKeyValue("id", ref.id())
                        .addKeyValue("err", e.getMessage())
                        .log("Shim does not tell the state of its task");
                return ProcessState.unknown(ref.id(), pid);
            }
        });
    }

    /** What the chosen tasks of the namespace used; those whose shim does not answer are left out. */
    public List<TaskMetric> metrics(CallContext context, Predicate<String> chosen) {
        Deadline deadline =
                context.deadline().earlier(Deadline.after(config.timeouts().state()));
        return ask(context.requireNamespace(), chosen, ref -> {
            try {
                Instant now = Instant.now();
                return new TaskMetric(
                        ref.id(),
                        now,
                        tasks.get(ref.namespace(), ref.id(), deadline).stats(deadline));
            } catch (NotFoundException e) {
                return null;
            } catch (ContainerdException e) {
                LOG.atWarn()
                        .addKeyValue("namespace", ref.namespace())
                        .addKeyValue("id", ref.id())
                        .addKeyValue("err", e.getMessage())
                        .log("Shim does not tell what its task used");
                return null;
            }
        });
    }

    private <A> List<A> ask(
            NamespaceId namespace, Predicate<String> chosen, Function<TaskTable.Key, @Nullable A> question) {
        List<Future<@Nullable A>> asked = new ArrayList<>();
        for (TaskTable.Key key : tasks.keys(namespace)) {
            if (chosen.test(key.id())) {
                asked.add(threads.submit(() -> question.apply(key)));
            }
        }
        List<A> answers = new ArrayList<>(asked.size());
        for (Future<@Nullable A> future : asked) {
            try {
                A answer = future.get();
                if (answer != null) {
                    answers.add(answer);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                asked.forEach(rest -> rest.cancel(true));
                throw new DeadlineExceededException("the question was given up", e);
            } catch (ExecutionException e) {
                throw new IllegalStateException("asking a task failed unexpectedly", e);
            }
        }
        return answers;
    }

    /**
     * Ends a task whose container has exited: has the shim delete it, has the shim end if it has nothing else, and removes
     * the bundle.
     *
     * @throws NotFoundException if there is none
     */
    public Exit delete(CallContext context, String id) {
        Task task = get(context, id);
        Exit exit;
        try {
            exit = task.deleteContainer(context.deadline());
        } catch (NotFoundException e) {
            // The shim has none: what the daemon has of it goes as well.
            Optional<Exit> known = task.init().exitWithoutShim();
            end(task);
            return known.orElseThrow(() -> e);
        }
        end(task);
        return exit;
    }

    private void end(Task task) {
        task.link().end().ifPresent(shim -> {
            try (shim) {
                shutdown(task, shim);
            }
        });
        LostShims.removeBundle(task.bundle());
        tasks.remove(task);
        close(task);
    }

    private void shutdown(Task task, ShimClient shim) {
        try {
            shim.shutdown(Deadline.after(config.timeouts().shutdown()));
        } catch (UnavailableException e) {
            // It ended before it could answer.
        } catch (ContainerdException e) {
            LOG.atWarn()
                    .addKeyValue("namespace", task.namespace())
                    .addKeyValue("id", task.id())
                    .addKeyValue("err", e.getMessage())
                    .log("Shim did not shut down and may be left behind");
        }
    }

    /**
     * What the shim of a runtime says of itself.
     *
     * @param request a {@code containerd.types.RuntimeRequest}: the runtime's name or path, and its options
     * @return a {@code containerd.types.RuntimeInfo}
     * @throws InvalidArgumentException if there is no such request, or it names no runtime
     * @throws UnimplementedException if the shim does not know the question
     */
    public TypedValue info(CallContext context, Optional<TypedValue> request) {
        RuntimeRequest asked = request.map(TaskRuntime::runtimeRequest)
                .orElseThrow(() -> new InvalidArgumentException(
                        "which runtime is asked about must be in the options, a containerd.types.RuntimeRequest"));
        RuntimeInfo info = starter.info(
                binaries.resolve(asked.getRuntimePath()),
                Optional.of(asked.getOptions())
                        .filter(options -> !options.getTypeUrl().isEmpty())
                        .map(options -> new TypedValue(
                                options.getTypeUrl(), options.getValue().toByteArray())),
                context.within(config.timeouts().start()).deadline());
        return new TypedValue(info.getDescriptorForType().getFullName(), info.toByteArray());
    }

    private static RuntimeRequest runtimeRequest(TypedValue value) {
        if (!value.typeName().equals(RuntimeRequest.getDescriptor().getFullName())) {
            throw new InvalidArgumentException(
                    "\"%s\" is no containerd.types.RuntimeRequest".formatted(value.typeUrl()));
        }
        try {
            return RuntimeRequest.parseFrom(value.value());
        } catch (InvalidProtocolBufferException e) {
            throw new InvalidArgumentException("the containerd.types.RuntimeRequest cannot be read", e);
        }
    }

    /** To be told of every event: what shims publish of a container's end is remembered. */
    public void observe(Envelope envelope) {
        if (!envelope.topic().equals("/tasks/exit")) {
            return;
        }
        try {
            TaskExit exit = TaskExit.parseFrom(envelope.event().value());
            if (exit.getId().equals(exit.getContainerId())) {
                tasks.find(envelope.namespace(), exit.getContainerId())
                        .ifPresent(task -> task.init()
                                .exited(new Exit(
                                        exit.getPid(), exit.getExitStatus(), Instants.from(exit.getExitedAt()))));
            }
        } catch (InvalidProtocolBufferException e) {
            LOG.atWarn()
                    .addKeyValue("namespace", envelope.namespace())
                    .addKeyValue("err", e.getMessage())
                    .log("An exit event cannot be read");
        }
    }

    private Task open(Bundle bundle, ShimLink link) {
        Task task = new Task(bundle, config.timeouts(), link, new InitProcess(bundle));
        try {
            link.log(logs.follow(bundle));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot open the log of task " + bundle.id() + ": " + e.getMessage(), e);
        }
        return task;
    }

    private static void close(Task task) {
        task.init().close();
        task.link().closeLog();
    }

    private void onLost(Task task) {
        LOG.atWarn()
                .addKeyValue("namespace", task.namespace())
                .addKeyValue("id", task.id())
                .log("Shim disconnected");
        threads.execute(() -> {
            if (!lostShims.replace(task, () -> onLost(task))) {
                lostShims.bury(task, () -> tasks.remove(task));
                close(task);
            }
        });
    }

    /** Leaves the tasks and their shims as they are, for the next start. */
    @Override
    public void close() {
        tasks.all().forEach(task -> {
            task.link().end().ifPresent(ShimClient::close);
            close(task);
        });
        threads.shutdownNow();
        logs.close();
    }
}
