package dev.longshore.snapshots;

import java.util.List;

/**
 * How the snapshotter behaves.
 *
 * @param mountOptions of each overlay mount, besides those that say its folders
 * @param upperdirLabel whether snapshots say where their files are, in the label {@code
 *     containerd.io/snapshot/overlay.upperdir}
 * @param removeAtOnce whether {@code remove} removes files too, instead of {@code cleanup}
 * @param mapIds whether mounts of snapshots with id maps have the options {@code uidmap} and {@code gidmap}
 */
public record OverlayOptions(List<String> mountOptions, boolean upperdirLabel, boolean removeAtOnce, boolean mapIds) {

    public OverlayOptions {
        mountOptions = List.copyOf(mountOptions);
    }
}
