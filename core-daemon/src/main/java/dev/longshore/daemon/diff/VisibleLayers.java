package dev.longshore.daemon.diff;

import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.sdk.tar.ByteStrings;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What the layers of an overlay show, without a mount: the uppermost that has a name counts, a whiteout or an opaque folder hides
 * those behind it. No symbolic link is followed: what is behind one is not found.
 */
final class VisibleLayers {

    private final List<Path> roots;
    private final byte[] opaqueXattr;

    /** @param roots the uppermost first */
    VisibleLayers(List<Path> roots, String opaqueXattr) {
        this.roots = List.copyOf(roots);
        this.opaqueXattr = ByteStrings.bytes(opaqueXattr);
    }

    /** A file and the open folder that it is in. */
    record Found(Folder folder, String base, FileStat stat) implements AutoCloseable {

        @Override
        public void close() {
            folder.close();
        }
    }

    /** The file of that name, which is not the root; empty if there is none. */
    Optional<Found> find(String name) throws ErrnoException {
        String[] parts = name.split("/", -1);
        for (Path root : roots) {
            Folder folder = Folder.open(root);
            boolean keep = false;
            try {
                boolean hides = false;
                for (int i = 0; i < parts.length; i++) {
                    byte[] part = ByteStrings.bytes(parts[i]);
                    Optional<FileStat> there = stat(folder, part);
                    if (there.isEmpty()) {
                        break;
                    }
                    FileStat stat = there.get();
                    if (i == parts.length - 1 && !isWhiteout(stat)) {
                        keep = true;
                        return Optional.of(new Found(folder, parts[i], stat));
                    }
                    if (!stat.isFolder()) { // a whiteout, or something that has no files in it
                        return Optional.empty();
                    }
                    hides |= isOpaque(folder, part);
                    Folder child = folder.child(part);
                    folder.close();
                    folder = child;
                }
                if (hides) {
                    return Optional.empty();
                }
            } finally {
                if (!keep) {
                    folder.close();
                }
            }
        }
        return Optional.empty();
    }

    static Optional<FileStat> stat(Folder folder, byte[] name) throws ErrnoException {
        try {
            return Optional.of(folder.stat(name));
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** The character device 0:0 that overlayfs takes for "nothing is here". */
    static boolean isWhiteout(FileStat stat) {
        return stat.isCharacterDevice() && stat.specialDevice() == 0;
    }

    private boolean isOpaque(Folder folder, byte[] name) throws ErrnoException {
        try {
            return Xattrs.get(folder, name, opaqueXattr)
                    .map(value -> value.length == 1 && value[0] == 'y')
                    .orElse(false);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.EOPNOTSUPP) {
                return false;
            }
            throw e;
        }
    }
}
