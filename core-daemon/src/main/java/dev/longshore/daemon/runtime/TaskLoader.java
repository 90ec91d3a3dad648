package dev.longshore.daemon.runtime;

import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.namespace.NamespaceId;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.function.BiFunction;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reaches the shims that an earlier daemon left, by what is in their bundles. */
final class TaskLoader {

    private static final Logger LOG = LoggerFactory.getLogger(TaskLoader.class);

    /** Bundles at a time. */
    private static final int CONCURRENT = 32;

    private final RuntimeConfig config;
    private final Containers containers;
    private final ShimBinary binaries;
    private final Shims shims;
    private final LostShims lostShims;
    private final BiFunction<Bundle, ShimLink, Task> open;
    private final Consumer<Task> onLost;
    private final Semaphore turns = new Semaphore(CONCURRENT);

    TaskLoader(
            RuntimeConfig config,
            Containers containers,
            ShimBinary binaries,
            Shims shims,
            LostShims lostShims,
            BiFunction<Bundle, ShimLink, Task> open,
            Consumer<Task> onLost) {
        this.config = config;
        this.containers = containers;
        this.binaries = binaries;
        this.shims = shims;
        this.lostShims = lostShims;
        this.open = open;
        this.onLost = onLost;
    }

    /** The bundles of all namespaces; what is left of deleted ones is removed. */
    List<Bundle> bundles() throws IOException {
        List<Bundle> bundles = new ArrayList<>();
        for (Path folder : visibleFolders(config.state())) {
            NamespaceId namespace;
            try {
                namespace = new NamespaceId(name(folder));
            } catch (InvalidArgumentException e) {
                LOG.atWarn().addKeyValue("path", folder).log("Folder among the bundles is no namespace");
                continue;
            }
            removeHidden(folder);
            removeHidden(config.root().resolve(namespace.value()));
            for (Path bundle : visibleFolders(folder)) {
                bundles.add(new Bundle(namespace, name(bundle), bundle));
            }
        }
        return bundles;
    }

    private static void removeHidden(Path folder) {
        try {
            Bundle.deleteHidden(folder);
        } catch (IOException e) {
            LOG.atWarn().addKeyValue("path", folder).setCause(e).log("Remains of bundles cannot be removed");
        }
    }

    private static List<Path> visibleFolders(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.filter(entry -> !name(entry).startsWith(".") && Files.isDirectory(entry))
                    .toList();
        }
    }

    private static String name(Path path) {
        return path.getName(path.getNameCount() - 1).toString();
    }

    /**
     * Reaches the shim of one bundle. One that is dead is replaced, or what it left is cleaned up.
     *
     * @return empty if there is no task after all
     */
    Optional<Task> load(Bundle bundle) {
        turns.acquireUninterruptibly();
        try {
            return reach(bundle);
        } catch (IOException e) {
            throw new UncheckedIOException("bundle " + bundle.path() + " cannot be read", e);
        } finally {
            turns.release();
        }
    }

    private Optional<Task> reach(Bundle bundle) throws IOException {
        if (bundle.isEmpty()) {
            bundle.delete();
            return Optional.empty();
        }
        Optional<ShimLink> link = link(bundle);
        if (link.isEmpty()) {
            bundle.delete();
            return Optional.empty();
        }
        Task task = open.apply(bundle, link.get());
        Runnable lost = () -> onLost.accept(task);
        Optional<BootstrapAnswer> answer = bootstrap(bundle);
        if (answer.isEmpty()) {
            // The daemon died before the shim had answered, so no client has been told of the task.
            return bury(task);
        }
        ShimClient shim;
        try {
            shim = shims.connect(
                    bundle,
                    link.get(),
                    answer.get(),
                    Deadline.after(config.timeouts().load()));
        } catch (ContainerdException e) {
            LOG.atWarn()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .addKeyValue("err", e.getMessage())
                    .log("Shim is not there any more");
            return lostShims.replace(task, lost) ? Optional.of(task) : bury(task);
        }
        try {
            task.init()
                    .running(shim.connect(Deadline.after(config.timeouts().load()))
                            .getTaskPid());
        } catch (DeadlineExceededException e) {
            // It holds a container that may be well: to clean up would kill that.
            LOG.atWarn()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .log("Shim does not answer, its task is kept");
            link.get().attach(shim, lost);
            return Optional.of(task);
        } catch (ContainerdException e) {
            LOG.atWarn()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .addKeyValue("err", e.getMessage())
                    .log("Shim does not know its task");
            shim.close();
            return bury(task);
        }
        link.get().attach(shim, lost);
        return hasContainer(task) ? Optional.of(task) : bury(task);
    }

    /** How to start the shim again; empty if nobody knows, so that nothing can be done for the bundle. */
    private Optional<ShimLink> link(Bundle bundle) throws IOException {
        Optional<Containers.Container> container = Optional.empty();
        try {
            container = Optional.of(containers.get(bundle.namespace(), bundle.id()));
        } catch (NotFoundException e) {
            LOG.atWarn()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .log("Task has no container any more");
        }
        Optional<String> runtime = bundle.shimBinary().or(() -> Optional.<String>empty());
        if (runtime.isEmpty()) {
            runtime = container.map(Containers.Container::runtime);
        }
        if (runtime.isEmpty()) {
            return Optional.empty();
        }
        Path binary;
        try {
            binary = binaries.resolve(runtime.get());
        } catch (ContainerdException e) {
            LOG.atError()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .addKeyValue("err", e.getMessage())
                    .log("Runtime of a task is gone, only its running shim can be used");
            binary = Path.of(runtime.get());
        }
        return Optional.of(new ShimLink(bundle.id(), binary, container.flatMap(Containers.Container::options)));
    }

    private static Optional<BootstrapAnswer> bootstrap(Bundle bundle) throws IOException {
        try {
            return bundle.bootstrap();
        } catch (ContainerdException e) {
            LOG.atWarn()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .addKeyValue("err", e.getMessage())
                    .log("Bundle does not say how its shim is reached");
            return Optional.empty();
        }
    }

    /**
     * Whether the shim has the container. One without was started by a daemon that died before it asked for the
     * container; nobody else would end it.
     */
    private boolean hasContainer(Task task) {
        Deadline deadline = Deadline.after(config.timeouts().load());
        try {
            // A container that has exited has no processes either, and its exit code is still wanted.
            return !task.pids(deadline).isEmpty() || task.state("", deadline).status() != ProcessState.Status.UNKNOWN;
        } catch (NotFoundException e) {
            return false;
        } catch (ContainerdException e) {
            LOG.atWarn()
                    .addKeyValue("namespace", task.namespace())
                    .addKeyValue("id", task.id())
                    .addKeyValue("err", e.getMessage())
                    .log("Shim does not tell its processes, its task is kept");
            return true;
        }
    }

    private Optional<Task> bury(Task task) {
        lostShims.bury(task, () -> {});
        task.link().closeLog();
        return Optional.empty();
    }

    /** After a reboot the bundles are gone and the work folders are not. */
    void removeWorkWithoutTask(BiPredicate<NamespaceId, String> isTask) {
        try {
            for (Path folder : visibleFolders(config.root())) {
                for (Path work : visibleFolders(folder)) {
                    if (!isTask.test(new NamespaceId(name(folder)), name(work))) {
                        Bundle.hideAndDelete(work);
                    }
                }
            }
        } catch (IOException | InvalidArgumentException e) {
            LOG.atWarn()
                    .addKeyValue("path", config.root())
                    .setCause(e)
                    .log("Work folders without task cannot be removed");
        }
    }
}
