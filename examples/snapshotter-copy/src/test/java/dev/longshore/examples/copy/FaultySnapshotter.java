package dev.longshore.examples.copy;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnknownException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** A snapshotter with the faults that people make. */
final class FaultySnapshotter implements Snapshotter {

    /** What goes wrong. */
    enum Fault {
        /** An update leaves no labels. */
        LOSES_LABELS,
        /** What is not found is an error like any other. */
        NOT_FOUND_IS_UNKNOWN,
        /** Usage never answers. */
        HANGS_IN_USAGE
    }

    private final Snapshotter backend;
    private final Set<Fault> faults;
    private final CountDownLatch forever = new CountDownLatch(1);

    FaultySnapshotter(Snapshotter backend, Set<Fault> faults) {
        this.backend = backend;
        this.faults = Set.copyOf(faults);
    }

    private <T> T call(Supplier<T> call) {
        try {
            return call.get();
        } catch (NotFoundException e) {
            if (faults.contains(Fault.NOT_FOUND_IS_UNKNOWN)) {
                throw new UnknownException("no such thing", e);
            }
            throw e;
        }
    }

    private void run(Runnable call) {
        var _ = call(() -> {
            call.run();
            return true;
        });
    }

    @Override
    public SnapshotInfo stat(CallContext context, String key) {
        return call(() -> backend.stat(context, key));
    }

    @Override
    public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
        SnapshotInfo wanted = faults.contains(Fault.LOSES_LABELS)
                ? new SnapshotInfo(info.kind(), info.name(), info.parent(), Map.of(), info.created(), info.updated())
                : info;
        return call(() -> backend.update(context, wanted, fieldPaths));
    }

    @Override
    public Usage usage(CallContext context, String key) {
        if (faults.contains(Fault.HANGS_IN_USAGE)) {
            try {
                forever.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        return call(() -> backend.usage(context, key));
    }

    @Override
    public List<Mount> mounts(CallContext context, String key) {
        return call(() -> backend.mounts(context, key));
    }

    @Override
    public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
        return call(() -> backend.prepare(context, key, parent, labels));
    }

    @Override
    public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
        return call(() -> backend.view(context, key, parent, labels));
    }

    @Override
    public void commit(
            CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {
        run(() -> backend.commit(context, name, key, parent, labels));
    }

    @Override
    public void remove(CallContext context, String key) {
        run(() -> backend.remove(context, key));
    }

    @Override
    public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {
        run(() -> backend.list(context, filters, sink));
    }

    @Override
    public void cleanup(CallContext context) {
        backend.cleanup(context);
    }

    @Override
    public void close() {
        forever.countDown();
        backend.close();
    }
}
