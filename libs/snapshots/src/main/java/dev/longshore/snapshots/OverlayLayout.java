package dev.longshore.snapshots;

import java.nio.file.Path;

/**
 * What lies where under the root:
 *
 * <pre>
 * lock                 held while the program runs
 * metadata.db          SQLite
 * empty/               lower folder of overlays that have no other
 * snapshots/ID/fs      the files of a snapshot: upper folder while active, lower folder later
 * snapshots/ID/work    overlayfs' own, of active snapshots
 * </pre>
 */
record OverlayLayout(Path root) {

    Path lock() {
        return root.resolve("lock");
    }

    Path metadata() {
        return root.resolve("metadata.db");
    }

    Path empty() {
        return root.resolve("empty");
    }

    Path snapshots() {
        return root.resolve("snapshots");
    }

    Path snapshot(long id) {
        return snapshots().resolve(Long.toString(id));
    }

    Path files(long id) {
        return snapshot(id).resolve("fs");
    }

    Path work(long id) {
        return snapshot(id).resolve("work");
    }
}
