package dev.longshore.transport.serve;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.snapshot.Snapshotter;
import io.grpc.BindableService;
import java.util.List;

/** What a plugin program serves: an implementation of one of the contracts. */
public final class Backend {

    private final BindableService service;
    private final AutoCloseable implementation;

    private Backend(BindableService service, AutoCloseable implementation) {
        this.service = service;
        this.implementation = implementation;
    }

    /** For {@code type = "snapshot"}. It serves under whatever name the daemon has for it. */
    public static Backend of(Snapshotter snapshotter) {
        return new Backend(new SnapshotsService(name -> snapshotter), snapshotter);
    }

    /** For {@code type = "content"}. */
    public static Backend of(ContentStore store) {
        return new Backend(new ContentService(store), store);
    }

    /**
     * For {@code type = "diff"}; they are tried in their order, the next when one does not have the media type.
     *
     * @param appliers empty for a differ that makes layers only
     * @param comparers empty for a differ that applies layers only
     */
    public static Backend of(List<? extends Applier> appliers, List<? extends Comparer> comparers) {
        List<Applier> allAppliers = List.copyOf(appliers);
        List<Comparer> allComparers = List.copyOf(comparers);
        return new Backend(new DiffService(() -> allAppliers, () -> allComparers, false), () -> {});
    }

    BindableService service() {
        return service;
    }

    AutoCloseable implementation() {
        return implementation;
    }
}
