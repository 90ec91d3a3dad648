package dev.longshore.daemon.diff;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.PathHandle;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.sdk.tar.ByteStrings;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.Segment;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes the entries of a layer below a root. The order of checks for each:
 *
 * <ol>
 *   <li>The name is cleaned of {@code .} and {@code ..} as if the root were the root of everything.
 *   <li>The folder that it is in is resolved by the kernel inside of the root (openat2 with RESOLVE_IN_ROOT), so that no symbolic
 *       link, of this layer or of one below, leads out.
 *   <li>The last part is made anew, in that very folder, and never followed: what is there is removed before.
 * </ol>
 *
 * <p>For one thread, and nobody else may write below the root.
 */
final class LayerWriter implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(LayerWriter.class);

    private static final String WHITEOUT = ".wh.";
    private static final String WHITEOUT_META = ".wh..wh.";
    private static final String OPAQUE = ".wh..wh..opq";

    private static final int BUFFER = 256 << 10;
    private static final int CACHED_FOLDERS = 128;
    private static final long MAX_ID = 0xFFFF_FFFFL;
    private static final int S_IFCHR = 0020000;
    private static final int S_IFBLK = 0060000;
    private static final int S_IFIFO = 0010000;

    /** Times that every file system can keep; others are cut to them. */
    private static final Instant EARLIEST = Instant.EPOCH;

    private static final Instant LATEST = Instant.ofEpochSecond((1L << 34) - 1);

    private final LayerTarget target;
    private final byte[] buffer = new byte[BUFFER];
    private final Map<String, PathHandle> folders = new LinkedHashMap<>(16, 0.75f, true);
    private final Set<String> written = new HashSet<>();
    private final List<FolderTimes> folderTimes = new ArrayList<>();

    private record FolderTimes(String name, Instant accessed, Instant modified) {}

    LayerWriter(LayerTarget target) {
        this.target = target;
    }

    /** Writes one entry; its content is read from {@code archive}. */
    void write(TarEntry entry, TarReader archive) throws IOException {
        String name = clean(entry.name());
        String base = name.substring(name.lastIndexOf('/') + 1);
        if (base.startsWith(WHITEOUT_META) && !base.equals(OPAQUE)) {
            return; // of aufs' own, and for nobody else
        }
        String parent = name.contains("/") ? name.substring(0, name.lastIndexOf('/')) : "";
        if (name.isEmpty()) {
            if (entry.type() == EntryType.DIRECTORY) {
                attributes(target.root(), entry);
                folderTimes.add(new FolderTimes("", accessed(entry), modified(entry)));
            }
            return;
        }
        Path folder = folder(parent);
        if (base.equals(OPAQUE)) {
            makeOpaque(parent, folder);
            return;
        }
        if (base.startsWith(WHITEOUT)) {
            whiteOut(parent, folder, base.substring(WHITEOUT.length()));
            return;
        }
        Path path = folder.resolve(base);
        boolean replacedWhiteout = makeRoom(name, path, entry.type());
        make(entry, archive, path);
        if (entry.type() == EntryType.HARD_LINK) {
            written.add(name);
            return;
        }
        if (replacedWhiteout && entry.type() == EntryType.DIRECTORY) {
            Xattrs.set(path, target.opaqueXattr(), new byte[] {'y'});
        }
        attributes(path, entry);
        written.add(name);
        if (entry.type() == EntryType.DIRECTORY) {
            folderTimes.add(new FolderTimes(name, accessed(entry), modified(entry)));
        } else {
            FileCalls.times(path, accessed(entry), modified(entry));
        }
    }

    /** Gives folders their times, which writing into them has changed. To be called once, at the end. */
    void finish() throws IOException {
        for (FolderTimes times : folderTimes.reversed()) {
            Path path = times.name.isEmpty() ? target.root() : parentOf(times.name);
            if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                FileCalls.times(path, times.accessed, times.modified);
            }
        }
    }

    private Path parentOf(String name) throws IOException {
        int slash = name.lastIndexOf('/');
        return folder(slash < 0 ? "" : name.substring(0, slash)).resolve(name.substring(slash + 1));
    }

    /** The name as a path below the root, without a slash at either end; empty for the root itself. */
    private static String clean(String byteString) {
        String name;
        try {
            name = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(ByteStrings.bytes(byteString)))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new InvalidArgumentException(
                    "layer has a file whose name is no UTF-8: \"%s\"".formatted(ByteStrings.text(byteString)));
        }
        if (name.indexOf(0) >= 0) {
            throw new InvalidArgumentException("layer has a file with a zero byte in its name");
        }
        List<String> parts = new ArrayList<>();
        for (String part : name.split("/", -1)) {
            if (part.equals("..")) {
                if (!parts.isEmpty()) {
                    parts.removeLast();
                }
            } else if (!part.isEmpty() && !part.equals(".")) {
                parts.add(part);
            }
        }
        return String.join("/", parts);
    }

    /** The folder of that name, which is made if it is missing; links on the way stay inside of the root. */
    private Path folder(String name) throws IOException {
        PathHandle cached = folders.get(name);
        if (cached != null) {
            return cached.path();
        }
        PathHandle handle = open(name);
        folders.put(name, handle);
        if (folders.size() > CACHED_FOLDERS) {
            var eldest = folders.entrySet().iterator();
            eldest.next().getValue().close();
            eldest.remove();
        }
        return handle.path();
    }

    private PathHandle open(String name) throws IOException {
        if (name.isEmpty()) {
            return PathHandle.inRoot(target.root(), ".");
        }
        PathHandle handle;
        try {
            handle = PathHandle.inRoot(target.root(), name);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.ENOENT) {
                throw e;
            }
            makeMissing(name);
            handle = PathHandle.inRoot(target.root(), name);
        }
        if (!Files.isDirectory(handle.path())) {
            handle.close();
            // A file of a layer below, or a whiteout of this one, is where this layer has a folder.
            int slash = name.lastIndexOf('/');
            Path path = folder(slash < 0 ? "" : name.substring(0, slash)).resolve(name.substring(slash + 1));
            removeTree(path);
            makeMissing(name);
            handle = PathHandle.inRoot(target.root(), name);
        }
        return handle;
    }

    /** Makes a folder that the layer did not bring, like the one below that it stands for. */
    private void makeMissing(String name) throws IOException {
        int slash = name.lastIndexOf('/');
        Path path = folder(slash < 0 ? "" : name.substring(0, slash)).resolve(name.substring(slash + 1));
        if (Files.isSymbolicLink(path)) {
            throw new InvalidArgumentException(
                    "layer writes through the link %s, which leads to nothing".formatted(name));
        }
        Files.createDirectory(path);
        for (Path lower : target.lower()) {
            try (PathHandle below = PathHandle.inRoot(lower, name)) {
                FileStat stat = FileStat.of(below.path().toRealPath());
                if (stat.isFolder()) {
                    FileCalls.lchown(path, stat.uid(), stat.gid());
                    FileCalls.chmod(path, stat.permissions());
                }
                return;
            } catch (ErrnoException e) {
                if (e.errno() != Errno.ENOENT && e.errno() != Errno.ENOTDIR) {
                    throw e;
                }
            }
        }
    }

    /**
     * Removes what is where an entry is to be made; a folder stays for a folder.
     *
     * @return whether that was a whiteout of an overlay
     */
    private boolean makeRoom(String name, Path path, EntryType type) throws IOException {
        FileStat there;
        try {
            there = FileStat.of(path);
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT) {
                return false;
            }
            throw e;
        }
        if (there.isFolder() && type == EntryType.DIRECTORY) {
            return false;
        }
        forget(name);
        removeTree(path);
        return target.overlay() && there.isCharacterDevice() && there.specialDevice() == 0;
    }

    /** Folders below {@code name} may be others now. */
    private void forget(String name) {
        folders.entrySet().removeIf(entry -> {
            boolean below = entry.getKey().equals(name) || entry.getKey().startsWith(name + "/");
            if (below) {
                entry.getValue().close();
            }
            return below;
        });
    }

    private void make(TarEntry entry, TarReader archive, Path path) throws IOException {
        switch (entry.type()) {
            case FILE -> content(entry, archive, path);
            case DIRECTORY -> {
                if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                    Files.createDirectory(path);
                }
            }
            case SYMLINK -> Files.createSymbolicLink(path, Path.of(ByteStrings.text(entry.linkName())));
            case HARD_LINK -> link(clean(entry.linkName()), path);
            case CHARACTER_DEVICE -> device(path, S_IFCHR, entry);
            case BLOCK_DEVICE -> device(path, S_IFBLK, entry);
            case FIFO -> FileCalls.mknod(path, S_IFIFO | entry.mode(), 0, 0);
        }
    }

    private static void device(Path path, int kind, TarEntry entry) throws IOException {
        FileCalls.mknod(path, kind | entry.mode(), id(entry.deviceMajor()), id(entry.deviceMinor()));
    }

    private void content(TarEntry entry, TarReader archive, Path path) throws IOException {
        try (FileChannel file = FileChannel.open(
                path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
            for (Segment segment : archive.segments()) {
                long at = segment.offset();
                long end = at + segment.length();
                while (at < end) {
                    int count = archive.read(buffer, 0, (int) Math.min(buffer.length, end - at));
                    ByteBuffer bytes = ByteBuffer.wrap(buffer, 0, count);
                    while (bytes.hasRemaining()) {
                        at += file.write(bytes, at);
                    }
                }
            }
            if (file.size() < entry.size()) {
                // A hole at the end: one byte there makes the file as long as it is.
                file.write(ByteBuffer.wrap(new byte[1]), entry.size() - 1);
            }
        }
    }

    private void link(String name, Path path) throws IOException {
        if (name.isEmpty()) {
            throw new InvalidArgumentException("layer has a hard link to its root");
        }
        Path existing = parentOf(name);
        if (!Files.exists(existing, LinkOption.NOFOLLOW_LINKS)) {
            copyUp(name, existing);
        }
        Files.createLink(path, existing);
    }

    /** Brings a file of a layer below into this one, because this one has a hard link to it. */
    private void copyUp(String name, Path path) throws IOException {
        for (Path lower : target.lower()) {
            try (PathHandle below = PathHandle.inRoot(lower, name)) {
                Path source = below.path();
                if (!Files.isRegularFile(source)) {
                    break;
                }
                Files.copy(source, path);
                FileStat stat = FileStat.of(source.toRealPath());
                FileCalls.lchown(path, stat.uid(), stat.gid());
                FileCalls.chmod(path, stat.permissions());
                FileCalls.times(path, stat.modified(), stat.modified());
                return;
            } catch (ErrnoException e) {
                if (e.errno() != Errno.ENOENT && e.errno() != Errno.ENOTDIR) {
                    throw e;
                }
            }
        }
        throw new InvalidArgumentException("layer has a hard link to %s, which is not there".formatted(name));
    }

    /** Owner before mode: changing the owner takes set-id bits away. */
    private static void attributes(Path path, TarEntry entry) throws IOException {
        FileCalls.lchown(path, id(entry.uid()), id(entry.gid()));
        if (entry.type() != EntryType.SYMLINK) {
            FileCalls.chmod(path, entry.mode());
        }
        for (Map.Entry<String, String> xattr : entry.xattrs().entrySet()) {
            try {
                Xattrs.set(path, ByteStrings.text(xattr.getKey()), ByteStrings.bytes(xattr.getValue()));
            } catch (ErrnoException e) {
                // As containerd does it: not every file system has every attribute.
                if (e.errno() != Errno.EOPNOTSUPP && e.errno() != Errno.EPERM) {
                    throw e;
                }
                log.atWarn()
                        .addKeyValue("err", e.getMessage())
                        .log("an extended attribute of a layer cannot be kept here");
            }
        }
    }

    private static int id(long number) {
        if (number < 0 || number > MAX_ID) {
            throw new InvalidArgumentException("layer has an owner or device number of %d".formatted(number));
        }
        return (int) number;
    }

    private static Instant modified(TarEntry entry) {
        return bounded(entry.modified());
    }

    private static Instant accessed(TarEntry entry) {
        return bounded(entry.accessed().orElse(entry.modified()));
    }

    private static Instant bounded(Instant time) {
        return time.isBefore(EARLIEST) ? EARLIEST : time.isAfter(LATEST) ? LATEST : time;
    }

    private void whiteOut(String parent, Path folder, String base) throws IOException {
        if (base.isEmpty() || base.equals(".") || base.equals("..") || base.indexOf('/') >= 0) {
            throw new InvalidArgumentException("layer has a whiteout for \"%s\"".formatted(base));
        }
        Path path = folder.resolve(base);
        forget(parent.isEmpty() ? base : parent + "/" + base);
        removeTree(path);
        if (target.overlay()) {
            FileCalls.mknod(path, S_IFCHR, 0, 0);
        }
    }

    /** Hides what layers below have in a folder; what this layer wrote there before stays. */
    private void makeOpaque(String name, Path folder) throws IOException {
        if (target.overlay()) {
            Xattrs.set(folder.toRealPath(), target.opaqueXattr(), new byte[] {'y'});
            return;
        }
        try (DirectoryStream<Path> children = Files.newDirectoryStream(folder)) {
            for (Path child : children) {
                String inside = name.isEmpty() ? child.getFileName().toString() : name + "/" + child.getFileName();
                if (!written.contains(inside)) {
                    forget(inside);
                    removeTree(child);
                }
            }
        }
    }

    private static void removeTree(Path path) throws IOException {
        Optional<BasicFileAttributes> attributes = Optional.empty();
        try {
            attributes = Optional.of(Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
        } catch (java.nio.file.NoSuchFileException e) {
            return;
        }
        if (attributes.get().isDirectory()) {
            try (DirectoryStream<Path> children = Files.newDirectoryStream(path)) {
                for (Path child : children) {
                    removeTree(child);
                }
            }
        }
        Files.deleteIfExists(path);
    }

    @Override
    public void close() {
        folders.values().forEach(PathHandle::close);
        folders.clear();
    }
}
