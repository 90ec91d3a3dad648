package dev.longshore.snapshots;

import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.snapshot.Usage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Walks trees that containers have made: of any depth, with any names, without following links. Only the current folder is
 * open, so depth costs no descriptors.
 */
final class Trees {

    private Trees() {}

    /** A folder on the way down, and what of it is still to do. */
    private static final class Level {

        private final byte[] name;
        private final Inode inode;
        private final Iterator<Folder.Entry> rest;

        Level(byte[] name, FileStat stat, List<Folder.Entry> entries) {
            this.name = name;
            this.inode = Inode.of(stat);
            this.rest = entries.iterator();
        }
    }

    private record Inode(long device, long number) {

        static Inode of(FileStat stat) {
            return new Inode(stat.device(), stat.inode());
        }
    }

    /** The tree was changed in a way that lost the walker. Once more may work. */
    static final class ChangedException extends IOException {

        ChangedException(Path root) {
            super("a folder in " + root + " was moved meanwhile");
        }
    }

    /**
     * What the tree takes, its root included. Files that vanish meanwhile do not count.
     *
     * @throws ChangedException if a folder was moved to another meanwhile
     */
    static Usage usage(Path root) throws IOException {
        Set<Inode> linked = new HashSet<>();
        Deque<Level> levels = new ArrayDeque<>();
        Folder folder = Folder.open(root);
        try {
            FileStat top = folder.stat();
            long inodes = 1;
            long blocks = top.blocks();
            levels.push(new Level(new byte[0], top, folder.entries()));
            while (true) {
                if (!levels.getFirst().rest.hasNext()) {
                    if (levels.size() == 1) {
                        return new Usage(inodes, blocks * 512);
                    }
                    folder = leave(folder, levels, root);
                    continue;
                }
                byte[] name = levels.getFirst().rest.next().name();
                Optional<FileStat> found = ifThere(folder, name);
                if (found.isEmpty()) {
                    continue;
                }
                FileStat stat = found.get();
                if (stat.isFolder() || stat.links() == 1 || linked.add(Inode.of(stat))) {
                    inodes++;
                    blocks += stat.blocks();
                }
                if (stat.isFolder()) {
                    folder = descend(folder, name, levels);
                }
            }
        } finally {
            folder.close();
        }
    }

    private static Optional<FileStat> ifThere(Folder folder, byte[] name) throws ErrnoException {
        try {
            return Optional.of(folder.stat(name));
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** @return the child, with {@code folder} closed; or {@code folder} if the child is gone */
    private static Folder descend(Folder folder, byte[] name, Deque<Level> levels) throws ErrnoException {
        try {
            Folder child = folder.child(name);
            try {
                levels.push(new Level(name, child.stat(), child.entries()));
            } catch (ErrnoException e) {
                child.close();
                throw e;
            }
            folder.close();
            return child;
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR) {
                return folder;
            }
            throw e;
        }
    }

    /**
     * Removes the tree with its root.
     *
     * @throws ErrnoException {@link Errno#EXDEV} if something is mounted in it: that is not touched, and what was found
     *     before is gone
     * @throws ChangedException as {@link #usage}
     */
    static void remove(Path root) throws IOException {
        Path parent = root.toAbsolutePath().getParent();
        Path last = root.getFileName();
        if (parent == null || last == null) {
            throw new IllegalArgumentException("not a folder in a folder: " + root);
        }
        byte[] rootName = last.toString().getBytes(StandardCharsets.UTF_8);
        Deque<Level> levels = new ArrayDeque<>();
        Folder folder = Folder.open(parent);
        try {
            levels.push(new Level(rootName, folder.stat(), List.of()));
            folder = enter(folder, rootName, levels);
            while (true) {
                if (!levels.getFirst().rest.hasNext()) {
                    byte[] name = levels.getFirst().name;
                    folder = leave(folder, levels, root);
                    ignoreMissing(folder, name, Folder::removeFolder);
                    if (levels.size() == 1) {
                        return;
                    }
                    continue;
                }
                Folder.Entry entry = levels.getFirst().rest.next();
                if (isFolder(folder, entry)) {
                    folder = enter(folder, entry.name(), levels);
                } else {
                    ignoreMissing(folder, entry.name(), Folder::removeFile);
                }
            }
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENOENT) {
                throw e;
            }
            // Somebody else removes it too.
        } finally {
            folder.close();
        }
    }

    /** @return the child, with {@code folder} closed */
    private static Folder enter(Folder folder, byte[] name, Deque<Level> levels) throws ErrnoException {
        Folder child = folder.childOnSameMount(name);
        try {
            levels.push(new Level(name, child.stat(), child.entries()));
        } catch (ErrnoException e) {
            child.close();
            throw e;
        }
        folder.close();
        return child;
    }

    /**
     * Goes up one level. A container that still runs could have moved the folder elsewhere, and ".." would lead the walker
     * out of the tree.
     *
     * @return the parent, with {@code folder} closed
     */
    private static Folder leave(Folder folder, Deque<Level> levels, Path root) throws IOException {
        levels.pop();
        Folder parent = folder.parent();
        folder.close();
        if (!Inode.of(parent.stat()).equals(levels.getFirst().inode)) {
            parent.close();
            throw new ChangedException(root);
        }
        return parent;
    }

    private static boolean isFolder(Folder folder, Folder.Entry entry) throws ErrnoException {
        return entry.type() == 0 ? folder.stat(entry.name()).isFolder() : entry.isFolder();
    }

    @FunctionalInterface
    private interface Removal {
        void run(Folder folder, byte[] name) throws ErrnoException;
    }

    private static void ignoreMissing(Folder folder, byte[] name, Removal removal) throws ErrnoException {
        try {
            removal.run(folder, name);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENOENT) {
                throw e;
            }
        }
    }
}
