package dev.longshore.stargz;

import java.nio.file.Path;

/**
 * What lies where under the root, besides what {@code snapshots} has there:
 *
 * <pre>
 * layers/              what is stored of layers that are read lazily, by digest
 * mounts/ID.layer      the digest of the layer that is mounted on a snapshot's folder
 * mounts/ID            who holds the mount while this program is away
 * </pre>
 */
record StargzLayout(Path root) {

    private static final String LAYER = ".layer";

    Path layers() {
        return root.resolve("layers");
    }

    Path mounts() {
        return root.resolve("mounts");
    }

    Path layerOf(long id) {
        return mounts().resolve(id + LAYER);
    }

    Path holderOf(long id) {
        return mounts().resolve(Long.toString(id));
    }

    /** The id of the snapshot whose files are in that folder. */
    static long id(Path files) {
        Path snapshot = files.getParent();
        if (snapshot == null || snapshot.getFileName() == null) {
            throw new IllegalArgumentException("not the folder of a snapshot: " + files);
        }
        return Long.parseLong(snapshot.getFileName().toString());
    }
}
