package dev.longshore.stargz.fuse;

import java.nio.file.Path;
import java.util.Optional;

/** The files of a complete layer that the kernel reads by itself. */
@FunctionalInterface
public interface BackingFiles {

    /**
     * A file on a disk with the same contents as the layer's. The answer for an inode must be the same as long as the mount lives, also
     * after a restart: the kernel reads a file that is open one way or the other.
     *
     * @return empty for files that are read through {@link FileData}
     */
    Optional<Path> file(int inode);
}
