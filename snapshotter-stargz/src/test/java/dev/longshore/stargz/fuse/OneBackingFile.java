package dev.longshore.stargz.fuse;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** The file of one inode, from when it is there. */
record OneBackingFile(int inode, Path file) implements BackingFiles {

    @Override
    public boolean mayHave(int other) {
        return other == inode;
    }

    @Override
    public Optional<Path> keep(int other) {
        return mayHave(other) && Files.exists(file) ? Optional.of(file) : Optional.empty();
    }

    @Override
    public void keepTold(int other) {
        if (!mayHave(other)) {
            throw new AssertionError("inode %d was never told".formatted(other));
        }
    }
}
