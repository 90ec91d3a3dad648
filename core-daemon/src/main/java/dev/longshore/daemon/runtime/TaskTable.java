package dev.longshore.daemon.runtime;

import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.namespace.NamespaceId;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/** The tasks by namespace and id. */
final class TaskTable {

    record Key(NamespaceId namespace, String id) {}

    private sealed interface Slot {}

    /** The id is taken, but there is nothing to call yet. */
    private record Reserved() implements Slot {}

    /** Left by an earlier daemon, and being reached; done with nothing if it was given up. */
    private record Loading(CompletableFuture<Optional<Task>> task) implements Slot {}

    private record Present(Task task) implements Slot {}

    private final ConcurrentMap<Key, Slot> slots = new ConcurrentHashMap<>();

    /** An id that is taken until it is filled, or given back by closing. */
    final class Reservation implements AutoCloseable {

        private final Key key;
        private final Slot reserved = new Reserved();

        private Reservation(Key key) {
            this.key = key;
        }

        void fill(Task task) {
            slots.replace(key, reserved, new Present(task));
        }

        @Override
        public void close() {
            slots.remove(key, reserved);
        }
    }

    /** @throws AlreadyExistsException if the id is taken */
    Reservation reserve(NamespaceId namespace, String id) {
        Reservation reservation = new Reservation(new Key(namespace, id));
        if (slots.putIfAbsent(reservation.key, reservation.reserved) != null) {
            throw new AlreadyExistsException("task %s".formatted(id));
        }
        return reservation;
    }

    CompletableFuture<Optional<Task>> loading(NamespaceId namespace, String id) {
        CompletableFuture<Optional<Task>> load = new CompletableFuture<>();
        slots.put(new Key(namespace, id), new Loading(load));
        return load;
    }

    void loaded(NamespaceId namespace, String id, CompletableFuture<Optional<Task>> load, Optional<Task> task) {
        Key key = new Key(namespace, id);
        Slot loading = new Loading(load);
        // One that was lost again meanwhile is over, and not to be put back.
        if (task.isPresent() && !task.get().link().isOver()) {
            slots.replace(key, loading, new Present(task.get()));
        } else {
            slots.remove(key, loading);
        }
        load.complete(task);
    }

    /**
     * @throws NotFoundException if there is none
     * @throws UnavailableException if it has not been reached in time
     */
    Task get(NamespaceId namespace, String id, Deadline deadline) {
        return switch (slots.get(new Key(namespace, id))) {
            case Present(Task task) -> task;
            case Loading(CompletableFuture<Optional<Task>> load) ->
                loaded(id, load, deadline).orElseThrow(() -> notFound(id));
            case Reserved() -> throw notFound(id);
            case null -> throw notFound(id);
        };
    }

    private static Optional<Task> loaded(String id, CompletableFuture<Optional<Task>> load, Deadline deadline) {
        try {
            return load.get(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new UnavailableException("the shim of task %s has not been reached yet".formatted(id), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("the call to task %s was given up".formatted(id), e);
        } catch (ExecutionException e) {
            throw new IllegalStateException("a load is never completed with an error", e);
        }
    }

    private static NotFoundException notFound(String id) {
        return new NotFoundException("task %s".formatted(id));
    }

    /** The task, if it is there now. */
    Optional<Task> find(NamespaceId namespace, String id) {
        return slots.get(new Key(namespace, id)) instanceof Present(Task task) ? Optional.of(task) : Optional.empty();
    }

    boolean contains(NamespaceId namespace, String id) {
        return slots.containsKey(new Key(namespace, id));
    }

    /** Those of the namespace that can be asked, or will be soon, by id. */
    List<Key> keys(NamespaceId namespace) {
        return slots.entrySet().stream()
                .filter(entry ->
                        entry.getKey().namespace().equals(namespace) && !(entry.getValue() instanceof Reserved))
                .map(Map.Entry::getKey)
                .sorted(Comparator.comparing(Key::id))
                .toList();
    }

    List<Task> all() {
        return slots.values().stream()
                .mapMulti((Slot slot, Consumer<Task> sink) -> {
                    if (slot instanceof Present(Task task)) {
                        sink.accept(task);
                    }
                })
                .toList();
    }

    /** Does nothing if another task has the id by now. */
    void remove(Task task) {
        slots.remove(new Key(task.namespace(), task.id()), new Present(task));
    }
}
