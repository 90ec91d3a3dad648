package dev.longshore.stargz;

import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.stargz.layer.Layer;
import dev.longshore.stargz.layer.PrefetchUse;
import java.util.HashMap;
import java.util.Map;

/** What snapshots say of how their layers are read. Clients see these labels and cannot change them. */
final class LazyLabels {

    /** {@code yes}; or {@code no: } and why not, on a snapshot whose layer was asked for lazily and had to be unpacked. */
    static final String LAZY = "containerd.io/snapshot/longshore.lazy";

    /** Digest of the layer that is mounted. */
    static final String LAYER = "containerd.io/snapshot/longshore.lazy.layer";

    /** Bytes of its blob. */
    static final String SIZE = "containerd.io/snapshot/longshore.lazy.size";

    /** Of these bytes those whose content is on this machine. */
    static final String FETCHED = "containerd.io/snapshot/longshore.lazy.fetched";

    /** Bytes of the blob that were fetched because the layer says that they are needed first. */
    static final String PREFETCHED = "containerd.io/snapshot/longshore.lazy.prefetched";

    /** Of these bytes those that were read since; what is read of an EROFS image is not seen. */
    static final String USED = "containerd.io/snapshot/longshore.lazy.used";

    private static final String NO = "no: ";

    /** Characters of a reason: a label with its key has 4096 bytes at most, and some characters take three of them. */
    private static final int MAX_REASON = 1000;

    private LazyLabels() {}

    static Map<String, String> of(Layer layer) {
        PrefetchUse prefetch = layer.prefetchUse();
        return Map.of(
                LAZY, "yes",
                PREFETCHED, Long.toString(prefetch.fetched()),
                USED, Long.toString(prefetch.used()),
                LAYER, layer.digest().toString(),
                SIZE, Long.toString(layer.size()),
                FETCHED, Long.toString(layer.fetched()));
    }

    static Map<String, String> not(String reason) {
        return Map.of(LAZY, NO + (reason.length() > MAX_REASON ? reason.substring(0, MAX_REASON) : reason));
    }

    /** Labels as a client gives them, without those that are not for it to give. */
    static Map<String, String> given(Map<String, String> labels) {
        Map<String, String> given = new HashMap<>(labels);
        given.keySet().removeIf(key -> key.equals(LAZY) || key.startsWith(LAZY + "."));
        return given;
    }

    static Map<String, String> with(Map<String, String> labels, Map<String, String> more) {
        Map<String, String> all = new HashMap<>(labels);
        all.putAll(more);
        return all;
    }

    /** Those that are kept when a snapshot gets other labels. */
    static Map<String, String> kept(SnapshotInfo info) {
        String lazy = info.labels().get(LAZY);
        return lazy == null ? Map.of() : Map.of(LAZY, lazy);
    }

    static SnapshotInfo with(SnapshotInfo info, Map<String, String> more) {
        return new SnapshotInfo(
                info.kind(), info.name(), info.parent(), with(info.labels(), more), info.created(), info.updated());
    }
}
