package dev.longshore.daemon.transfer;

import dev.longshore.sdk.oci.Platform;
import java.util.List;
import java.util.Map;

/**
 * An image in the store, or images that are to be put there.
 *
 * @param name empty for the names that an archive brings
 * @param platforms whose manifests are wanted; empty for all
 * @param allMetadata whether the manifests and configurations of other platforms are wanted, too
 * @param manifestLimit manifests of an index that are taken at most, the best ones; 0 for all
 * @param unpacks what to make snapshots of
 * @param extraReferences names for what an archive brings
 */
public record StoredImage(
        String name,
        Map<String, String> labels,
        List<Platform> platforms,
        boolean allMetadata,
        int manifestLimit,
        List<Unpack> unpacks,
        List<ExtraReference> extraReferences) {

    public StoredImage {
        labels = Map.copyOf(labels);
        platforms = List.copyOf(platforms);
        unpacks = List.copyOf(unpacks);
        extraReferences = List.copyOf(extraReferences);
    }

    /** @param snapshotter empty for the default */
    public record Unpack(Platform platform, String snapshotter) {}

    /**
     * How images of an archive are named.
     *
     * @param name a name, or what goes before the tags in the archive
     * @param allowOverwrite whether a name in the archive that does not begin with the prefix is taken as well
     * @param addDigest whether an image gets a name with its digest, too
     * @param skipNamedDigest whether that is left out for images that have a name
     */
    public record ExtraReference(
            String name, boolean prefix, boolean allowOverwrite, boolean addDigest, boolean skipNamedDigest) {}
}
