package dev.longshore.daemon.diff;

import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.tar.ByteStrings;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/** Removes a tree of any depth, with two open folders and without recursion. Nobody else may change it meanwhile. */
final class TreeRemoval {

    private TreeRemoval() {}

    /** @param name a byte string */
    private record Level(String name, Iterator<Folder.Entry> rest) {}

    /** Removes what is at {@code name}; nothing there is fine. */
    static void remove(Folder parent, byte[] name) throws ErrnoException {
        try {
            parent.removeFile(name);
            return;
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT) {
                return;
            }
            if (e.errno() != Errno.EISDIR && e.errno() != Errno.EPERM) {
                throw e;
            }
        }
        removeContents(parent, name);
        parent.removeFolder(name);
    }

    private static void removeContents(Folder parent, byte[] name) throws ErrnoException {
        Deque<Level> levels = new ArrayDeque<>();
        Folder folder = parent.child(name);
        try {
            levels.push(new Level(ByteStrings.of(name), folder.entries().iterator()));
            while (true) {
                Level level = levels.getFirst();
                if (level.rest.hasNext()) {
                    Folder.Entry entry = level.rest.next();
                    if (!isFolder(folder, entry)) {
                        folder.removeFile(entry.name());
                        continue;
                    }
                    Folder child = folder.child(entry.name());
                    folder.close();
                    folder = child;
                    levels.push(new Level(
                            ByteStrings.of(entry.name()), folder.entries().iterator()));
                } else {
                    levels.pop();
                    if (levels.isEmpty()) {
                        return;
                    }
                    Folder above = folder.parent();
                    folder.close();
                    folder = above;
                    folder.removeFolder(ByteStrings.bytes(level.name));
                }
            }
        } finally {
            folder.close();
        }
    }

    private static boolean isFolder(Folder folder, Folder.Entry entry) throws ErrnoException {
        return entry.type() == 0 ? folder.stat(entry.name()).isFolder() : entry.isFolder();
    }
}
