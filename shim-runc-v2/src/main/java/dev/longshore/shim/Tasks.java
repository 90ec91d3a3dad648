package dev.longshore.shim;

import dev.longshore.api.task.v2.CreateTaskRequest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.sdk.linux.Subreaper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The containers of this process. Beside the socket is a folder with a file for each, which holds the path of its bundle: there a
 * shim that takes over finds what there is.
 */
final class Tasks {

    private final String namespace;
    private final Path registry;
    private final EventForwarder events;
    private final Map<String, ContainerTask> tasks = new ConcurrentHashMap<>();
    private final Set<String> making = ConcurrentHashMap.newKeySet();
    private @Nullable ExitWatcher exits;

    Tasks(String namespace, Path registry, EventForwarder events) {
        this.namespace = namespace;
        this.registry = registry;
        this.events = events;
    }

    /** Made with the first container, because it loads the libraries for system calls. */
    private synchronized ExitWatcher exits() throws IOException {
        if (exits == null) {
            Subreaper.enable();
            exits = new ExitWatcher();
        }
        return exits;
    }

    /** Takes up what an earlier process of this group has left. */
    void adoptAll() throws IOException {
        Files.createDirectories(registry);
        try (Stream<Path> files = Files.list(registry)) {
            for (Path file : files.toList()) {
                adopt(file);
            }
        }
    }

    private void adopt(Path file) throws IOException {
        Path bundle = Path.of(Files.readString(file));
        try {
            ContainerTask task = ContainerTask.adopt(TaskRecord.load(bundle), namespace, exits(), events);
            tasks.put(task.id(), task);
        } catch (IOException e) {
            ShimLog.warn("cannot take container " + file.getFileName() + " over: " + e.getMessage());
            Files.deleteIfExists(file);
        }
    }

    ContainerTask create(CreateTaskRequest request) throws IOException {
        String id = request.getId();
        if (tasks.containsKey(id) || !making.add(id)) {
            throw new AlreadyExistsException("container " + id);
        }
        try {
            ContainerTask task = ContainerTask.create(request, namespace, exits(), events);
            DurableFiles.write(registry.resolve(id), request.getBundle().getBytes(StandardCharsets.UTF_8));
            tasks.put(id, task);
            return task;
        } finally {
            making.remove(id);
        }
    }

    /** @throws NotFoundException if there is none of that id */
    ContainerTask get(String id) {
        ContainerTask task = tasks.get(id);
        if (task == null) {
            throw new NotFoundException("container " + id);
        }
        return task;
    }

    void forget(String id) throws IOException {
        tasks.remove(id);
        Files.deleteIfExists(registry.resolve(id));
    }

    boolean isEmpty() {
        return tasks.isEmpty() && making.isEmpty();
    }

    List<String> ids() {
        return List.copyOf(tasks.keySet());
    }
}
