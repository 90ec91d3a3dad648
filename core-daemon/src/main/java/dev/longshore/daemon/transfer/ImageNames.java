package dev.longshore.daemon.transfer;

import dev.longshore.daemon.transfer.StoredImage.ExtraReference;
import dev.longshore.daemon.transfer.TransferStores.Images;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.oci.Descriptor;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Which names an image gets, by containerd's rules. */
final class ImageNames {

    private static final String NAME = "io.containerd.image.name";
    private static final String TAG = "org.opencontainers.image.ref.name";

    private final StoredImage wanted;

    ImageNames(StoredImage wanted) {
        this.wanted = wanted;
    }

    /**
     * Names what the transfer is about as a whole.
     *
     * @return the names that it got
     */
    List<String> store(CallContext context, Images images, Descriptor target) {
        List<String> names = new ArrayList<>();
        if (!wanted.name().isEmpty()) {
            images.put(context, wanted.name(), target, wanted.labels());
            names.add(wanted.name());
        }
        for (ExtraReference extra : wanted.extraReferences()) {
            if (extra.prefix() && !extra.addDigest()) {
                continue; // no name comes of it alone
            }
            String name = extra.addDigest() ? extra.name() + "@" + target.digest() : extra.name();
            images.put(context, name, target, extraLabels());
            names.add(name);
        }
        return names;
    }

    /**
     * Names an image of an archive, by what the archive calls it.
     *
     * @param target with the annotations that it has in the archive's index
     * @return the names that it got
     */
    List<String> storeAnnotated(CallContext context, Images images, Descriptor target) {
        List<String> names = new ArrayList<>();
        Descriptor bare = new Descriptor(target.mediaType(), target.digest(), target.size());
        for (ExtraReference extra : wanted.extraReferences()) {
            if (!extra.prefix()) {
                continue;
            }
            String name = annotatedName(target.annotations(), extra);
            if (!name.isEmpty()) {
                names.add(name);
            }
            if (extra.addDigest() && (name.isEmpty() || !extra.skipNamedDigest())) {
                names.add(extra.name() + "@" + target.digest());
            }
        }
        for (String name : names) {
            images.put(context, name, bare, extraLabels());
        }
        return names;
    }

    /** A tag alone goes behind the prefix; a whole name is taken as it is, if it is one of the prefix' or any will do. */
    private static String annotatedName(Map<String, String> annotations, ExtraReference extra) {
        String name = annotations.getOrDefault(NAME, annotations.getOrDefault(TAG, ""));
        if (name.isEmpty() || extra.name().isEmpty()) {
            return "";
        }
        if (name.contains("/") || name.contains(":") || name.contains("@")) {
            return extra.allowOverwrite() || begins(name, extra.name()) ? name : "";
        }
        return extra.name() + ":" + name;
    }

    private static boolean begins(String name, String prefix) {
        return name.startsWith(prefix)
                && (name.length() == prefix.length() || "/:@".indexOf(name.charAt(prefix.length())) >= 0);
    }

    /** Of names beside the main one: they go when that goes. */
    private Map<String, String> extraLabels() {
        Map<String, String> labels = new HashMap<>(wanted.labels());
        if (!wanted.name().isEmpty()) {
            labels.put("containerd.io/gc.bref.image", wanted.name());
            labels.put(
                    "containerd.io/gc.expire",
                    Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        }
        return labels;
    }
}
