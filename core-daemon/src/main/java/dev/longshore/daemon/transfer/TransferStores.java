package dev.longshore.daemon.transfer;

import dev.longshore.daemon.content.MeteredContentStore;
import dev.longshore.daemon.transfer.LayerUnpacker.Target;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.snapshot.Snapshotter;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * What of the daemon transfers use.
 *
 * @param contentName of the store that keeps the blobs, for a person
 * @param meter of what appliers read from, in this process or through it
 * @param appliers asked for with each layer
 * @param applierHere the first of the appliers, if it reads a layer from {@code meter} itself, with the context that it is given
 * @param unpackTargets snapshotters by their names
 * @param leases what is made meanwhile is kept by one
 */
public record TransferStores(
        ContentStore content,
        String contentName,
        MeteredContentStore meter,
        Images images,
        Supplier<List<Applier>> appliers,
        Supplier<Optional<Applier>> applierHere,
        Function<String, UnpackTarget> unpackTargets,
        Leases leases) {

    /** Names of images. Implementations tell subscribers of events. */
    public interface Images {

        /** @throws dev.longshore.sdk.errors.NotFoundException if there is none of that name */
        Descriptor get(CallContext context, String name);

        /** Gives the name to {@code target}, whether or not it had it before. */
        void put(CallContext context, String name, Descriptor target, Map<String, String> labels);
    }

    /** Leases that end with a transfer. */
    public interface Leases {

        /** The same call with a lease, if it has none. */
        CallContext begin(CallContext context);

        /** @param leased what {@link #begin} returned for {@code context} */
        void end(CallContext context, CallContext leased);
    }

    /**
     * Where images are unpacked.
     *
     * @param rebase whether a snapshot takes a parent with its commit
     * @param annotated whether it is told where layers are to be had, so that it can read them itself
     */
    public record UnpackTarget(Snapshotter snapshotter, boolean rebase, boolean annotated) {}

    Target target(String name) {
        UnpackTarget target = unpackTargets.apply(name);
        return new Target(name, target.snapshotter(), target.rebase(), target.annotated());
    }
}
