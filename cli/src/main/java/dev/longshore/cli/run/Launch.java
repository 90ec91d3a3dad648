package dev.longshore.cli.run;

import dev.longshore.cli.image.ImageStore;
import java.nio.file.Path;

/**
 * How to run a container.
 *
 * @param user as the image specification writes it; empty for the image's own
 * @param detached whether to leave it running; its output goes to {@code log} then
 * @param interactive whether it gets this program's input
 * @param remove whether it is removed when it has ended
 */
public record Launch(
        ImageStore.Resolved image,
        SpecRequest spec,
        String user,
        String runtime,
        String snapshotter,
        boolean detached,
        boolean interactive,
        boolean remove,
        Path log) {}
