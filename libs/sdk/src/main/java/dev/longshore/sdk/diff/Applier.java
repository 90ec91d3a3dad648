package dev.longshore.sdk.diff;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.typeurl.TypedValue;
import java.util.List;
import java.util.Map;

/** Writes the files of a layer onto mounts. Safe for use by many threads. */
public interface Applier {

    /**
     * Applies the layer {@code layer} of the content store to {@code mounts}.
     *
     * @param payloads for stream processors, by processor id
     * @param syncFileSystem whether the file system is flushed before the answer
     * @return media type tar, digest and size of the <i>uncompressed</i> layer
     * @throws NotFoundException if the blob is not there
     * @throws UnimplementedException if the media type is none that this applier takes; callers try the next applier
     */
    Descriptor apply(
            CallContext context,
            Descriptor layer,
            List<Mount> mounts,
            Map<String, TypedValue> payloads,
            boolean syncFileSystem);
}
