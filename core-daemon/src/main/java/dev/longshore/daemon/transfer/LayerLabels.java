package dev.longshore.daemon.transfer;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.oci.Descriptor;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What tells a snapshotter where the layers of one image are to be had: the labels that containerd's CRI and transfer service give
 * to snapshots, and those annotations of a layer that are for snapshotters.
 *
 * @param reference the image's name
 * @param layers all of the image, from the bottom
 */
record LayerLabels(String reference, Digest manifest, List<Descriptor> layers) {

    private static final String FOR_SNAPSHOTTERS = "containerd.io/snapshot/";
    private static final String CRI = FOR_SNAPSHOTTERS + "cri.";
    private static final String LAYERS = CRI + "image-layers";

    LayerLabels {
        layers = List.copyOf(layers);
    }

    /** The labels for the snapshot of one of the layers. */
    Map<String, String> of(Descriptor layer) {
        Map<String, String> labels = new HashMap<>();
        layer.annotations().forEach((key, value) -> {
            if (key.startsWith(FOR_SNAPSHOTTERS) && size(key) + size(value) <= Labels.MAX_SIZE) {
                labels.put(key, value);
            }
        });
        labels.put(CRI + "image-ref", reference);
        labels.put(CRI + "manifest-digest", manifest.toString());
        labels.put(CRI + "layer-digest", layer.digest().toString());
        labels.put(LAYERS, from(layer));
        return labels;
    }

    /** The layer and those above it, as many as a label can have. */
    private String from(Descriptor layer) {
        StringBuilder digests = new StringBuilder();
        for (Descriptor next : layers.subList(Math.max(0, layers.indexOf(layer)), layers.size())) {
            String digest = (digests.isEmpty() ? "" : ",") + next.digest();
            if (size(LAYERS) + digests.length() + digest.length() > Labels.MAX_SIZE) {
                break;
            }
            digests.append(digest);
        }
        return digests.toString();
    }

    private static int size(String text) {
        return text.getBytes(StandardCharsets.UTF_8).length;
    }
}
