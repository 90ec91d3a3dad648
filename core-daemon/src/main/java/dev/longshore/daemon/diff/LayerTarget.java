package dev.longshore.daemon.diff;

import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Where a layer is written to.
 *
 * @param root of its files
 * @param lower the folders below it, the nearest first, for what the layer does not bring itself
 * @param overlay whether {@code root} is the upper folder of an overlay, so that deletions are written as whiteouts
 * @param opaqueXattr marks a folder of an overlay that hides those below
 */
record LayerTarget(Path root, List<Path> lower, boolean overlay, String opaqueXattr) {

    private static final String OPAQUE = "trusted.overlay.opaque";

    LayerTarget {
        lower = List.copyOf(lower);
    }

    /** A tree that is what it is. */
    static LayerTarget plain(Path root) {
        return new LayerTarget(root, List.of(), false, OPAQUE);
    }

    /** What is there of an overlay; nothing but the root itself for a tree that is what it is. */
    VisibleLayers visible() {
        List<Path> roots = new ArrayList<>(lower);
        if (overlay) {
            roots.addFirst(root);
        }
        return new VisibleLayers(roots, opaqueXattr);
    }

    /** The upper folder of the overlay that {@code mounts} are, if they are one that can be written. */
    static Optional<LayerTarget> overlay(List<Mount> mounts) {
        if (mounts.size() != 1 || !mounts.getFirst().type().equals("overlay")) {
            return Optional.empty();
        }
        List<Path> lower = new ArrayList<>();
        Path upper = null;
        String xattr = OPAQUE;
        for (String option : mounts.getFirst().options()) {
            if (option.startsWith("upperdir=")) {
                upper = Path.of(option.substring("upperdir=".length()));
            } else if (option.startsWith("lowerdir=")) {
                for (String folder : Mounts.lowerFolders(option.substring("lowerdir=".length()))) {
                    lower.add(Path.of(folder));
                }
            } else if (option.equals("userxattr")) {
                xattr = "user.overlay.opaque";
            }
        }
        return upper == null ? Optional.empty() : Optional.of(new LayerTarget(upper, lower, true, xattr));
    }
}
