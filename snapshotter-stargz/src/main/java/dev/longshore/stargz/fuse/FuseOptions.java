package dev.longshore.stargz.fuse;

import java.util.List;
import java.util.Optional;

/**
 * How a layer is shown.
 *
 * @param layer its digest, for messages
 * @param opaqueXattrs the attributes that tell overlayfs of an opaque folder: {@code trusted.overlay.opaque}, and {@code
 *     user.overlay.opaque} for overlays that are mounted with {@code userxattr}
 * @param status shown in a folder that is not listed
 * @param readAheadKib what the kernel reads ahead; 0 for its own choice of 128
 * @param backing if the layer has files that are worth it: opening a file of it then costs a round trip
 */
public record FuseOptions(
        String layer,
        List<String> opaqueXattrs,
        Optional<StatusFile> status,
        int readAheadKib,
        Optional<BackingFiles> backing) {

    public FuseOptions {
        opaqueXattrs = List.copyOf(opaqueXattrs);
    }

    /** For overlays without {@code userxattr}; without a status and backing files. */
    public static FuseOptions of(String layer) {
        return new FuseOptions(layer, List.of("trusted.overlay.opaque"), Optional.empty(), 0, Optional.empty());
    }
}
