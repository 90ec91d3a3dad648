package dev.longshore.daemon.diff;

import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.OpenFile;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Writes what makes one tree of another, as a layer: files that are new or other, whiteouts for those that are gone, and
 * the folders that any of these are in. In the order of names, so that the same trees give the same bytes.
 */
final class LayerSource implements AutoCloseable {

    private static final int BUFFER = 128 << 10;

    private final LayerTree lower;
    private final LayerTree upper;
    private final Optional<Instant> latest;
    private final TarWriter archive;
    private final byte[] buffer = new byte[BUFFER];
    private final byte[] otherBuffer = new byte[BUFFER];
    private final OpenFile.Buffer nativeBuffer = new OpenFile.Buffer(BUFFER);
    private final Map<Inode, String> firstNames = new HashMap<>();

    /** Names, so far, of unchanged files with several; as many as the tree has. */
    private final Map<Inode, List<String>> unchangedNames = new HashMap<>();

    private final Set<String> writtenFolders = new HashSet<>();

    private record Inode(long device, long number) {}

    /** @param latest no time stamp is later */
    LayerSource(Path lower, Path upper, Optional<Instant> latest, TarWriter archive) throws IOException {
        this.lower = new LayerTree(lower);
        this.upper = new LayerTree(upper);
        this.latest = latest;
        this.archive = archive;
    }

    void write() throws IOException {
        compareFolders("");
    }

    private void compareFolders(String name) throws IOException {
        SortedSet<String> names = upper.names(name);
        SortedSet<String> below = lower.names(name);
        SortedSet<String> both = new TreeSet<>(names);
        both.addAll(below);
        for (String child : both) {
            String path = name.isEmpty() ? child : name + "/" + child;
            if (!names.contains(child)) {
                writeParents(path);
                writeWhiteout(name, child);
            } else if (!below.contains(child)) {
                add(path);
            } else {
                compare(path);
            }
        }
    }

    private void compare(String path) throws IOException {
        FileStat before = lower.stat(path);
        FileStat after = upper.stat(path);
        if (before.isFolder() && after.isFolder()) {
            if (!sameAttributes(path, before, after)) {
                writeFolder(path);
            }
            compareFolders(path);
        } else if (after.isFolder() || !same(path, before, after)) {
            add(path);
        } else if (after.isRegularFile() && after.links() > 1) {
            keepLinked(path, after);
        }
    }

    /**
     * An unchanged file that gets a new name is written under that, once, and its other names as links to it: an applier need not
     * see the layers below, so what a link names must be in the layer.
     */
    private void keepLinked(String path, FileStat stat) throws IOException {
        Inode inode = new Inode(stat.device(), stat.inode());
        String first = firstNames.get(inode);
        if (first == null) {
            unchangedNames.computeIfAbsent(inode, _ -> new ArrayList<>()).add(path);
        } else {
            writeLink(path, first, stat);
        }
    }

    private void writeLink(String path, String first, FileStat stat) throws IOException {
        writeParents(path);
        archive.write(
                entry(EntryType.HARD_LINK, path, path, stat).linkName(first).build());
    }

    private boolean same(String path, FileStat before, FileStat after) throws IOException {
        if (before.size() != after.size()
                || !before.modified().equals(after.modified())
                || before.specialDevice() != after.specialDevice()
                || !sameAttributes(path, before, after)) {
            return false;
        }
        if (after.isSymbolicLink()) {
            return lower.symbolicLink(path).equals(upper.symbolicLink(path));
        }
        // A time without a fraction may have been set by an archive: then only the bytes can tell.
        boolean timeTells = !after.modified().truncatedTo(ChronoUnit.SECONDS).equals(after.modified());
        return !after.isRegularFile() || timeTells || sameContent(path);
    }

    private boolean sameContent(String path) throws IOException {
        try (OpenFile a = lower.open(path);
                OpenFile b = upper.open(path)) {
            while (true) {
                int count = fill(a, buffer);
                if (count != fill(b, otherBuffer) || !Arrays.equals(buffer, 0, count, otherBuffer, 0, count)) {
                    return false;
                }
                if (count == 0) {
                    return true;
                }
            }
        }
    }

    private int fill(OpenFile file, byte[] bytes) throws IOException {
        int filled = 0;
        while (filled < bytes.length) {
            int count = file.read(nativeBuffer, bytes, filled, bytes.length - filled);
            if (count < 0) {
                break;
            }
            filled += count;
        }
        return filled;
    }

    private boolean sameAttributes(String path, FileStat before, FileStat after) throws IOException {
        return before.mode() == after.mode()
                && before.uid() == after.uid()
                && before.gid() == after.gid()
                && lower.xattrs(path).equals(upper.xattrs(path));
    }

    /** Writes everything at and below {@code path}. */
    private void add(String path) throws IOException {
        FileStat stat = upper.stat(path);
        if (stat.isFolder()) {
            writeFolder(path);
            for (String child : upper.names(path)) {
                add(path + "/" + child);
            }
            return;
        }
        Optional<EntryType> type = type(stat);
        if (type.isEmpty()) {
            return; // a socket means nothing without the process that listens on it
        }
        Inode inode = new Inode(stat.device(), stat.inode());
        String first = stat.links() > 1 ? firstNames.putIfAbsent(inode, path) : null;
        if (first != null) {
            writeLink(path, first, stat);
            return;
        }
        writeParents(path);
        TarEntry.Builder entry = entry(type.get(), path, path, stat);
        switch (type.get()) {
            case SYMLINK -> entry.linkName(upper.symbolicLink(path));
            case CHARACTER_DEVICE, BLOCK_DEVICE ->
                entry.device(stat.specialDevice() >>> 32, stat.specialDevice() & 0xffff_ffffL);
            case FILE -> entry.size(stat.size());
            case DIRECTORY, HARD_LINK, FIFO -> {}
        }
        archive.write(entry.build());
        if (type.get() == EntryType.FILE) {
            copy(path, stat.size());
        }
        List<String> unchanged = unchangedNames.remove(inode);
        if (unchanged != null) {
            for (String other : unchanged) {
                writeLink(other, path, stat);
            }
        }
    }

    private void copy(String path, long size) throws IOException {
        try (OpenFile in = upper.open(path)) {
            for (long left = size; left > 0; ) {
                int count = in.read(nativeBuffer, buffer, 0, (int) Math.min(buffer.length, left));
                if (count < 0) {
                    // The header has promised this many: the file got shorter under us.
                    Arrays.fill(buffer, (byte) 0);
                    count = (int) Math.min(buffer.length, left);
                }
                archive.content(buffer, 0, count);
                left -= count;
            }
        }
        archive.endContent(size);
    }

    private void writeParents(String path) throws IOException {
        int slash = path.lastIndexOf('/');
        if (slash > 0) {
            writeFolder(path.substring(0, slash));
        }
    }

    private void writeFolder(String path) throws IOException {
        if (!writtenFolders.add(path)) {
            return;
        }
        writeParents(path);
        archive.write(
                entry(EntryType.DIRECTORY, path, path + "/", upper.stat(path)).build());
    }

    private void writeWhiteout(String folder, String child) throws IOException {
        String name = (folder.isEmpty() ? "" : folder + "/") + ".wh." + child;
        archive.write(TarEntry.builder(EntryType.FILE, name).mode(0).build());
    }

    private TarEntry.Builder entry(EntryType type, String path, String name, FileStat stat) throws IOException {
        Instant modified = latest.filter(stat.modified()::isAfter).orElse(stat.modified());
        TarEntry.Builder entry = TarEntry.builder(type, name)
                .mode(stat.permissions())
                .owner(Integer.toUnsignedLong(stat.uid()), Integer.toUnsignedLong(stat.gid()))
                .modified(modified);
        if (type != EntryType.HARD_LINK) {
            upper.xattrs(path).forEach(entry::xattr);
        }
        return entry;
    }

    private static Optional<EntryType> type(FileStat stat) {
        return switch (stat.mode() & FileStat.S_IFMT) {
            case FileStat.S_IFREG -> Optional.of(EntryType.FILE);
            case FileStat.S_IFLNK -> Optional.of(EntryType.SYMLINK);
            case FileStat.S_IFCHR -> Optional.of(EntryType.CHARACTER_DEVICE);
            case FileStat.S_IFBLK -> Optional.of(EntryType.BLOCK_DEVICE);
            case FileStat.S_IFIFO -> Optional.of(EntryType.FIFO);
            default -> Optional.empty();
        };
    }

    @Override
    public void close() {
        lower.close();
        upper.close();
        nativeBuffer.close();
    }
}
