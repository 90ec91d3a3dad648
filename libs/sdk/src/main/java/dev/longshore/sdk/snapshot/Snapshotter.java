package dev.longshore.sdk.snapshot;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.mount.Mount;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Keeps the file systems of layers and containers as snapshots.
 *
 * <p><b>Words.</b> A <i>key</i> names an active snapshot or a view; a <i>name</i> names a committed one; both live in one
 * space, so a name cannot be used where a key exists. A <i>parent</i> is always the name of a committed snapshot, and
 * empty for none.
 *
 * <p><b>A story.</b> To unpack a layer: {@link #prepare prepare("extract-1", parent)}, make the mounts it answered
 * somewhere, write the layer's files there, unmount, {@link #commit commit(chainId, "extract-1")}. The next layer is
 * prepared with that chain id as parent. To run a container: {@code prepare("container-1", top)}; its mounts become the
 * root file system. Afterwards {@link #remove remove("container-1")}.
 *
 * <p><b>Rebase.</b> A snapshotter with the capability {@code rebase} may be asked to prepare without a parent and given
 * the parent at {@link #commit}, so that layers unpack side by side.
 *
 * <p><b>Labels</b> reach a backend only when they begin with {@code containerd.io/snapshot/} or are
 * {@code containerd.io/snapshot.ref}. Where an implementation makes a snapshot that nobody has to unpack, {@code prepare}
 * commits it under the name in {@code containerd.io/snapshot.ref} and answers {@link AlreadyExistsException}.
 *
 * <p>Implementations are safe for use by many threads. Semantics follow containerd's {@code core/snapshots/snapshotter.go}.
 */
public interface Snapshotter extends AutoCloseable {

    /**
     * The snapshot of that key or name.
     *
     * @throws NotFoundException if there is none
     */
    SnapshotInfo stat(CallContext context, String key);

    /**
     * Changes labels; nothing else of a snapshot can be changed.
     *
     * @param info {@code name} says which snapshot, {@code labels} what they become
     * @param fieldPaths {@code labels} or {@code labels.<key>}; empty replaces all labels. An empty value deletes a label
     * @return the snapshot afterwards
     * @throws NotFoundException if there is none
     * @throws InvalidArgumentException if a path is none of those
     */
    SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths);

    /**
     * What the snapshot takes itself. Of an active one this may scan its files.
     *
     * @throws NotFoundException if there is none
     */
    Usage usage(CallContext context, String key);

    /**
     * The mounts of an active snapshot or view, as {@link #prepare} answered them.
     *
     * @throws NotFoundException if there is no snapshot of that key
     * @throws FailedPreconditionException if it is committed
     */
    List<Mount> mounts(CallContext context, String key);

    /**
     * Makes an active snapshot on {@code parent}.
     *
     * @param parent empty for none
     * @throws AlreadyExistsException if the key is taken, or the snapshot named by the label
     *     {@code containerd.io/snapshot.ref} is there and needs no unpacking
     * @throws NotFoundException if there is no such parent
     * @throws InvalidArgumentException if the parent is not committed, or the key is empty
     */
    List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels);

    /** Like {@link #prepare}, but the mounts are read-only and the snapshot cannot be committed. */
    List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels);

    /**
     * Turns the active snapshot {@code key} into the committed snapshot {@code name}; the key is free afterwards.
     *
     * @param parent the parent to commit it on, for snapshotters with the capability {@code rebase}; empty keeps the one
     *     it was prepared on
     * @throws NotFoundException if there is no snapshot of that key, or no such parent
     * @throws AlreadyExistsException if the name is taken
     * @throws FailedPreconditionException if the key is of no active snapshot
     * @throws InvalidArgumentException if it was prepared on another parent
     */
    void commit(CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels);

    /**
     * Removes a snapshot. Its files may go later, at {@link #cleanup}.
     *
     * @throws NotFoundException if there is none
     * @throws FailedPreconditionException if it is the parent of another
     */
    void remove(CallContext context, String key);

    /**
     * Gives every snapshot that one of the filters takes, in no particular order; no filters take all.
     *
     * @param filters in containerd's filter grammar over kind, name, parent and labels
     * @throws InvalidArgumentException if a filter is none
     */
    void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink);

    /**
     * Removes what removed snapshots left on disk.
     *
     * @throws UnimplementedException if the snapshotter removes at once
     */
    void cleanup(CallContext context);

    /** Releases what the snapshotter holds in this process; snapshots stay. */
    @Override
    void close();
}
