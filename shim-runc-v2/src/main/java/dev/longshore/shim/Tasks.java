package dev.longshore.shim;

import dev.longshore.api.task.v2.CreateTaskRequest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.namespace.Identifiers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
    private final Path launcher;
    private final Path registry;
    private final EventForwarder events;
    private final Map<String, ContainerTask> tasks = new ConcurrentHashMap<>();
    private final Set<String> making = ConcurrentHashMap.newKeySet();
    private @Nullable TaskHost host;

    /** @param launcher the program that keeps terminals */
    Tasks(String namespace, Path launcher, Path registry, EventForwarder events) {
        this.namespace = namespace;
        this.launcher = launcher;
        this.registry = registry;
        this.events = events;
    }

    /** Made with the first container, because it loads the libraries for system calls. */
    private synchronized TaskHost host() throws IOException {
        if (host == null) {
            host = TaskHost.start(namespace, launcher, events);
        }
        return host;
    }

    /** Takes up what an earlier process of this group has left. */
    void adoptAll() throws IOException {
        Files.createDirectories(registry);
        try (Stream<Path> files = Files.list(registry)) {
            for (Path file : files.toList()) {
                // A name that begins with a dot was not finished.
                if (file.getFileName().toString().startsWith(".")) {
                    Files.delete(file);
                } else {
                    adopt(file);
                }
            }
        }
    }

    private void adopt(Path file) throws IOException {
        Path bundle = Path.of(Files.readString(file));
        try {
            ContainerTask task = ContainerTask.adopt(TaskRecord.load(bundle), host());
            tasks.put(task.id(), task);
        } catch (IOException e) {
            ShimLog.warn("cannot take container " + file.getFileName() + " over: " + e.getMessage());
            Files.deleteIfExists(file);
        }
    }

    ContainerTask create(CreateTaskRequest request) throws IOException {
        String id = Identifiers.check("container", request.getId());
        if (tasks.containsKey(id) || !making.add(id)) {
            throw new AlreadyExistsException("container " + id);
        }
        try {
            ContainerTask task = ContainerTask.create(request, host());
            StateFile.write(registry.resolve(id), request.getBundle().getBytes(StandardCharsets.UTF_8));
            tasks.put(id, task);
            return task;
        } finally {
            making.remove(id);
        }
    }

    /** @throws NotFoundException if there is none of that id */
    ContainerTask get(String id) {
        return find(id).orElseThrow(() -> new NotFoundException("container " + id));
    }

    Optional<ContainerTask> find(String id) {
        return Optional.ofNullable(tasks.get(id));
    }

    /** @return whether it was there */
    boolean forget(String id) throws IOException {
        boolean known = tasks.remove(id) != null;
        Files.deleteIfExists(registry.resolve(id));
        return known;
    }

    boolean isEmpty() {
        return tasks.isEmpty() && making.isEmpty();
    }

    List<String> ids() {
        return List.copyOf(tasks.keySet());
    }
}
