package dev.longshore.stargz.fuse;

import java.nio.file.Path;
import java.util.Optional;

/** The files of a layer that the kernel can read by itself, when all of them is here. Safe for use by many threads. */
public interface BackingFiles {

    /** Whether a file may have one some day: the same as long as the mount lives, also after a restart. */
    boolean mayHave(int inode);

    /**
     * A file on a disk with the contents of the layer's, verified; it is left as it is from then on.
     *
     * @return empty for a file that is, now at least, read through {@link FileData}
     */
    Optional<Path> keep(int inode);

    /** The kernel reads the file already, by what an earlier process has told it: it must be left as it is. */
    void keepTold(int inode);
}
