package dev.longshore.sdk.diff;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.oci.Descriptor;
import java.util.List;

/** Makes a layer of the difference of two file systems. Safe for use by many threads. */
public interface Comparer {

    /**
     * Writes the layer that turns {@code lower} into {@code upper} to the content store.
     *
     * @param lower empty for nothing
     * @return the layer's blob, labeled {@code containerd.io/uncompressed} if it is compressed
     * @throws UnimplementedException if the media type asked for is none that this comparer makes
     */
    Descriptor compare(CallContext context, List<Mount> lower, List<Mount> upper, CompareOptions options);
}
