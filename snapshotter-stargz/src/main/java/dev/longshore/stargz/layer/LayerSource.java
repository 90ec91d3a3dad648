package dev.longshore.stargz.layer;

import dev.longshore.estargz.TocVerification;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Where a layer is to be had, as the labels of a snapshot say.
 *
 * @param reference an image with the layer
 * @param neighbors further layers of the image that are likely to be asked for next
 * @param toc what the table of contents must be
 * @param annotations of the layer, as far as they came with the labels
 * @param prefetch bytes to fetch at once where the layer does not say how many; empty if the labels do not say
 */
public record LayerSource(
        ImageName reference,
        Digest digest,
        List<Digest> neighbors,
        TocVerification toc,
        Map<String, String> annotations,
        OptionalLong prefetch) {

    private static final String STARGZ = "containerd.io/snapshot/remote/stargz.";
    private static final String CRI = "containerd.io/snapshot/cri.";

    public LayerSource {
        neighbors = List.copyOf(neighbors);
        annotations = Map.copyOf(annotations);
    }

    /**
     * Reads the labels of the stargz snapshotter's clients or, if they are not there, those of CRI and of transfers.
     *
     * @return empty if the labels name no layer
     * @throws InvalidArgumentException if one of them is wrong
     */
    public static Optional<LayerSource> of(Map<String, String> labels) {
        Optional<LayerSource> stargz = of(labels, STARGZ + "reference", STARGZ + "digest", STARGZ + "layers");
        return stargz.isPresent() ? stargz : of(labels, CRI + "image-ref", CRI + "layer-digest", CRI + "image-layers");
    }

    private static Optional<LayerSource> of(
            Map<String, String> labels, String reference, String digest, String neighbors) {
        String name = labels.getOrDefault(reference, "");
        String layer = labels.getOrDefault(digest, "");
        if (name.isEmpty() || layer.isEmpty()) {
            return Optional.empty();
        }
        Digest parsed = Digest.parse(layer);
        List<Digest> others = new ArrayList<>();
        for (String other : labels.getOrDefault(neighbors, "").split(",", -1)) {
            if (!other.isEmpty() && !other.equals(layer)) {
                others.add(Digest.parse(other));
            }
        }
        return Optional.of(new LayerSource(
                ImageName.parse(name),
                parsed,
                others,
                TocVerification.of(labels),
                new HashMap<>(labels),
                bytes(labels.getOrDefault(STARGZ + "prefetch", ""))));
    }

    private static OptionalLong bytes(String text) {
        if (text.isEmpty()) {
            return OptionalLong.empty();
        }
        if (!text.matches("[0-9]{1,18}")) {
            throw new InvalidArgumentException(
                    "label %sprefetch is \"%.40s\": it must be a number of bytes".formatted(STARGZ, text));
        }
        return OptionalLong.of(Long.parseLong(text));
    }
}
