package dev.longshore.cli.image;

import static dev.longshore.transport.grpc.Unary.call;

import dev.longshore.api.services.snapshots.v1.StatSnapshotRequest;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.oci.ChainIds;
import dev.longshore.sdk.oci.Descriptor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** How the layers of an image are read, as the labels of their snapshots have it. */
public final class LazyLayers {

    private static final String LAZY = "containerd.io/snapshot/longshore.lazy";
    private static final String FETCHED = LAZY + ".fetched";
    private static final String PREFETCHED = LAZY + ".prefetched";
    private static final String USED = LAZY + ".used";
    private static final String NO = "no: ";

    private final Daemon daemon;
    private final String snapshotter;

    public LazyLayers(Daemon daemon, String snapshotter) {
        this.daemon = daemon;
        this.snapshotter = snapshotter;
    }

    /**
     * A layer.
     *
     * @param fetched bytes of the blob whose content is on this machine
     * @param prefetched bytes of the blob that were fetched because the layer says that they are needed first
     * @param used those of them that were read since
     * @param reason why it is not lazy; empty if it is
     */
    public record State(Descriptor layer, boolean lazy, long fetched, long prefetched, long used, String reason) {}

    /** From the bottom. */
    public List<State> of(ImageStore.Resolved image) {
        List<Descriptor> layers = image.manifest().layers();
        List<Digest> diffIds = image.config().diffIds();
        List<String> names = ChainIds.of(diffIds);
        List<State> states = new ArrayList<>();
        for (int i = 0; i < Math.min(layers.size(), names.size()); i++) {
            states.add(state(layers.get(i), names.get(i)));
        }
        return states;
    }

    private State state(Descriptor layer, String name) {
        try {
            return of(
                    layer,
                    call(() -> daemon.snapshots()
                                    .stat(StatSnapshotRequest.newBuilder()
                                            .setSnapshotter(snapshotter)
                                            .setKey(name)
                                            .build()))
                            .getInfo()
                            .getLabelsMap());
        } catch (NotFoundException e) {
            return new State(layer, false, 0, 0, 0, "not unpacked with snapshotter " + snapshotter);
        }
    }

    static State of(Descriptor layer, Map<String, String> labels) {
        String lazy = labels.getOrDefault(LAZY, "");
        if (lazy.equals("yes")) {
            return new State(layer, true, bytes(labels, FETCHED), bytes(labels, PREFETCHED), bytes(labels, USED), "");
        }
        String reason = lazy.startsWith(NO)
                ? lazy.substring(NO.length())
                : "the snapshotter was not asked to, or does not read layers lazily";
        return new State(layer, false, layer.size(), 0, 0, reason);
    }

    private static long bytes(Map<String, String> labels, String label) {
        return Long.parseLong(labels.getOrDefault(label, "0"));
    }
}
