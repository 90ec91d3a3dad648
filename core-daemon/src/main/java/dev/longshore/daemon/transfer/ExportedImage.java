package dev.longshore.daemon.transfer;

import dev.longshore.sdk.oci.Platform;
import java.util.List;

/**
 * What goes into an archive.
 *
 * @param platforms whose images; empty for this machine's
 * @param allPlatforms whether all do, whatever {@code platforms} says
 * @param skipCompatibility whether the {@code manifest.json} is left out that {@code docker load} reads
 * @param skipNonDistributable whether layers that are not to be passed on are left out
 */
public record ExportedImage(
        List<Platform> platforms, boolean allPlatforms, boolean skipCompatibility, boolean skipNonDistributable) {

    public ExportedImage {
        platforms = List.copyOf(platforms);
    }
}
