package dev.longshore.daemon.diff;

import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.sdk.tar.ByteStrings;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Writes what makes one tree of another, as a layer: files that are new or other, whiteouts for those that are gone, and
 * the folders that any of these are in. In the order of names, so that the same trees give the same bytes.
 */
final class LayerSource {

    private static final int BUFFER = 128 << 10;

    private final Path lower;
    private final Path upper;
    private final Optional<Instant> latest;
    private final TarWriter archive;
    private final byte[] buffer = new byte[BUFFER];
    private final Map<Long, String> firstNames = new HashMap<>();
    private final Set<String> writtenFolders = new HashSet<>();

    /** @param latest no time stamp is later */
    LayerSource(Path lower, Path upper, Optional<Instant> latest, TarWriter archive) {
        this.lower = lower;
        this.upper = upper;
        this.latest = latest;
        this.archive = archive;
    }

    void write() throws IOException {
        compareFolders("");
    }

    private void compareFolders(String name) throws IOException {
        SortedSet<String> names = names(upper.resolve(name));
        SortedSet<String> below = names(lower.resolve(name));
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

    private static SortedSet<String> names(Path folder) throws IOException {
        SortedSet<String> names = new TreeSet<>();
        try (DirectoryStream<Path> children = Files.newDirectoryStream(folder)) {
            for (Path child : children) {
                Path name = child.getFileName();
                if (name != null) {
                    names.add(name.toString());
                }
            }
        }
        return names;
    }

    private void compare(String path) throws IOException {
        FileStat before = FileStat.of(lower.resolve(path));
        FileStat after = FileStat.of(upper.resolve(path));
        if (before.isFolder() && after.isFolder()) {
            if (!sameAttributes(path, before, after)) {
                writeFolder(path);
            }
            compareFolders(path);
        } else if (after.isFolder() || !same(path, before, after)) {
            add(path);
        }
    }

    private boolean same(String path, FileStat before, FileStat after) throws IOException {
        if (before.size() != after.size()
                || !before.modified().equals(after.modified())
                || before.specialDevice() != after.specialDevice()
                || !sameAttributes(path, before, after)) {
            return false;
        }
        Path a = lower.resolve(path);
        Path b = upper.resolve(path);
        if (after.isSymbolicLink()) {
            return Files.readSymbolicLink(a).equals(Files.readSymbolicLink(b));
        }
        // A time without a fraction may have been set by an archive: then only the bytes can tell.
        boolean timeTells = !after.modified().truncatedTo(ChronoUnit.SECONDS).equals(after.modified());
        return !after.isRegularFile() || timeTells || Files.mismatch(a, b) < 0;
    }

    private boolean sameAttributes(String path, FileStat before, FileStat after) throws IOException {
        return before.mode() == after.mode()
                && before.uid() == after.uid()
                && before.gid() == after.gid()
                && xattrs(lower.resolve(path)).equals(xattrs(upper.resolve(path)));
    }

    /** Those that belong to the file and not to this mount of it. */
    private static Map<String, String> xattrs(Path path) throws IOException {
        Map<String, String> xattrs = new HashMap<>();
        for (String name : Xattrs.list(path)) {
            boolean foreign = name.startsWith("trusted.overlay.")
                    || name.startsWith("user.overlay.")
                    || name.equals("security.selinux");
            if (!foreign) {
                Optional<byte[]> value = Xattrs.get(path, name);
                value.ifPresent(bytes -> xattrs.put(ByteStrings.of(name), ByteStrings.of(bytes)));
            }
        }
        return xattrs;
    }

    /** Writes everything at and below {@code path}. */
    private void add(String path) throws IOException {
        FileStat stat = FileStat.of(upper.resolve(path));
        if (stat.isFolder()) {
            writeFolder(path);
            for (String child : names(upper.resolve(path))) {
                add(path + "/" + child);
            }
            return;
        }
        Optional<EntryType> type = type(stat);
        if (type.isEmpty()) {
            return; // a socket means nothing without the process that listens on it
        }
        writeParents(path);
        if (stat.links() > 1) {
            String first = firstNames.putIfAbsent(stat.inode(), path);
            if (first != null) {
                archive.write(entry(EntryType.HARD_LINK, path, path, stat)
                        .linkName(ByteStrings.of(first))
                        .build());
                return;
            }
        }
        TarEntry.Builder entry = entry(type.get(), path, path, stat);
        switch (type.get()) {
            case SYMLINK ->
                entry.linkName(ByteStrings.of(
                        Files.readSymbolicLink(upper.resolve(path)).toString()));
            case CHARACTER_DEVICE, BLOCK_DEVICE ->
                entry.device(major(stat.specialDevice()), minor(stat.specialDevice()));
            case FILE -> entry.size(stat.size());
            case DIRECTORY, HARD_LINK, FIFO -> {}
        }
        archive.write(entry.build());
        if (type.get() == EntryType.FILE) {
            copy(path, stat.size());
        }
    }

    private void copy(String path, long size) throws IOException {
        try (InputStream in = Files.newInputStream(upper.resolve(path))) {
            for (long left = size; left > 0; ) {
                int count = in.read(buffer, 0, (int) Math.min(buffer.length, left));
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
        archive.write(entry(EntryType.DIRECTORY, path, path + "/", FileStat.of(upper.resolve(path)))
                .build());
    }

    private void writeWhiteout(String folder, String child) throws IOException {
        String name = (folder.isEmpty() ? "" : folder + "/") + ".wh." + child;
        archive.write(
                TarEntry.builder(EntryType.FILE, ByteStrings.of(name)).mode(0).build());
    }

    private TarEntry.Builder entry(EntryType type, String path, String name, FileStat stat) throws IOException {
        Instant modified = latest.filter(stat.modified()::isAfter).orElse(stat.modified());
        TarEntry.Builder entry = TarEntry.builder(type, ByteStrings.of(name))
                .mode(stat.permissions())
                .owner(Integer.toUnsignedLong(stat.uid()), Integer.toUnsignedLong(stat.gid()))
                .modified(modified);
        if (type != EntryType.HARD_LINK) {
            xattrs(upper.resolve(path)).forEach(entry::xattr);
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

    /** See makedev(3). */
    private static long major(long device) {
        return (device >> 8 & 0xfff) | (device >> 32 & ~0xfffL);
    }

    private static long minor(long device) {
        return (device & 0xff) | (device >> 12 & ~0xffL);
    }
}
