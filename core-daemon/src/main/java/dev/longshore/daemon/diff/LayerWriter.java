package dev.longshore.daemon.diff;

import dev.longshore.daemon.diff.VisibleLayers.Found;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.linux.OpenFile;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.sdk.tar.ByteStrings;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.Segment;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarReader;
import java.io.IOException;
import java.time.Instant;
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
 *   <li>The folder that it is in is resolved by the kernel inside of the root, see {@link LayerFolders}.
 *   <li>The last part is made anew, in that very folder, and never followed: what is there is removed before.
 * </ol>
 *
 * <p>For one thread, and nobody else may write below the root.
 */
final class LayerWriter implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(LayerWriter.class);

    private static final int BUFFER = 128 << 10;
    private static final long MAX_ID = 0xFFFF_FFFFL;

    /** Times that every file system can keep; others are cut to them. */
    private static final Instant EARLIEST = Instant.EPOCH;

    private static final Instant LATEST = Instant.ofEpochSecond((1L << 34) - 1);

    /** What an entry that the kernel refuses is to blame for itself. */
    private static final Set<Integer> BAD_ENTRY = Set.of(
            Errno.E2BIG,
            Errno.ERANGE,
            Errno.ENAMETOOLONG,
            Errno.ELOOP,
            Errno.ENOTDIR,
            Errno.EISDIR,
            Errno.EINVAL,
            Errno.EMLINK,
            Errno.ENOENT,
            Errno.EEXIST);

    private final LayerTarget target;
    private final VisibleLayers visible;
    private final LayerFolders folders;
    private final byte[] buffer = new byte[BUFFER];
    private final OpenFile.Buffer nativeBuffer = new OpenFile.Buffer(BUFFER);

    /** Names that an opaque folder does not hide; on an overlay the kernel knows them. */
    private final Set<String> written = new HashSet<>();

    private final Map<String, FolderTimes> folderTimes = new LinkedHashMap<>();

    private boolean toldOfXattrs;

    private record FolderTimes(Instant accessed, Instant modified) {}

    LayerWriter(LayerTarget target) throws IOException {
        this.target = target;
        this.visible = target.visible();
        this.folders = new LayerFolders(target, visible);
    }

    /**
     * Writes one entry; its content is read from {@code archive}.
     *
     * @throws InvalidArgumentException if it is one that cannot be written anywhere
     */
    void write(TarEntry entry, TarReader archive) throws IOException {
        try {
            write(LayerNames.clean(entry.name()), entry, archive);
        } catch (ErrnoException e) {
            if (BAD_ENTRY.contains(e.errno())) {
                throw new InvalidArgumentException(about(entry) + e.getMessage(), e);
            }
            throw e;
        } catch (InvalidArgumentException e) {
            throw new InvalidArgumentException(about(entry) + e.getMessage(), e);
        }
    }

    private static String about(TarEntry entry) {
        return "entry \"%s\": ".formatted(LayerNames.text(entry.name()));
    }

    private void write(String name, TarEntry entry, TarReader archive) throws IOException {
        String base = LayerNames.base(name);
        if (base.startsWith(LayerNames.WHITEOUT_META) && !base.equals(LayerNames.OPAQUE)) {
            return;
        }
        String parent = LayerNames.parent(name);
        if (name.isEmpty()) {
            // Anything but a folder has no business to be the root, and is left out as containerd does it.
            if (entry.type() == EntryType.DIRECTORY) {
                attributes(folders.get(""), new byte[] {'.'}, entry);
                folderTimes.put("", new FolderTimes(accessed(entry), modified(entry)));
            }
        } else if (base.equals(LayerNames.OPAQUE)) {
            makeOpaque(parent);
        } else if (base.startsWith(LayerNames.WHITEOUT)) {
            whiteOut(parent, base.substring(LayerNames.WHITEOUT.length()));
        } else {
            make(name, folders.get(parent), ByteStrings.bytes(base), entry, archive);
            if (!target.overlay()) {
                written.add(name);
            }
        }
    }

    /** Gives folders their times, which writing into them has changed. To be called once, at the end. */
    void finish() throws IOException {
        for (Map.Entry<String, FolderTimes> entry : folderTimes.entrySet()) {
            String name = entry.getKey();
            FolderTimes times = entry.getValue();
            Optional<Folder> parent = folders.find(LayerNames.parent(name));
            byte[] base = name.isEmpty() ? new byte[] {'.'} : ByteStrings.bytes(LayerNames.base(name));
            // It may have been removed again, with a folder that it was in.
            if (parent.isPresent()
                    && VisibleLayers.stat(parent.get(), base)
                            .map(FileStat::isFolder)
                            .orElse(false)) {
                parent.get().times(base, times.accessed, times.modified);
            }
        }
    }

    private void make(String name, Folder folder, byte[] base, TarEntry entry, TarReader archive) throws IOException {
        switch (entry.type()) {
            case FILE -> {
                file(name, folder, base, entry, archive);
                return;
            }
            case DIRECTORY -> {
                folder(name, folder, base);
                attributes(folder, base, entry);
                folderTimes.remove(name); // the last entry counts, and where it stands
                folderTimes.put(name, new FolderTimes(accessed(entry), modified(entry)));
                return;
            }
            case HARD_LINK -> {
                link(name, folder, base, LayerNames.clean(entry.linkName()));
                return;
            }
            case SYMLINK -> {
                makeRoom(name, folder, base);
                folder.makeSymbolicLink(base, ByteStrings.bytes(entry.linkName()));
            }
            case CHARACTER_DEVICE -> device(name, folder, base, FileStat.S_IFCHR, entry);
            case BLOCK_DEVICE -> device(name, folder, base, FileStat.S_IFBLK, entry);
            case FIFO -> device(name, folder, base, FileStat.S_IFIFO, entry);
        }
        attributes(folder, base, entry);
        folder.times(base, accessed(entry), modified(entry));
    }

    private void device(String name, Folder folder, byte[] base, int kind, TarEntry entry) throws IOException {
        makeRoom(name, folder, base);
        folder.makeNode(base, kind | entry.mode(), id(entry.deviceMajor()), id(entry.deviceMinor()));
    }

    /** Removes what is where an entry is to be made. */
    private void makeRoom(String name, Folder folder, byte[] base) throws ErrnoException {
        Optional<FileStat> there = VisibleLayers.stat(folder, base);
        if (there.isEmpty()) {
            return;
        }
        FileStat stat = there.get();
        TreeRemoval.remove(folder, base);
        written.remove(name);
        if (stat.isFolder() || stat.isSymbolicLink()) {
            folderTimes.remove(name);
            folders.forget();
        }
    }

    private void folder(String name, Folder folder, byte[] base) throws ErrnoException {
        try {
            folder.makeFolder(base, 0700);
            return;
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EEXIST) {
                throw e;
            }
        }
        if (!folder.stat(base).isFolder()) {
            makeRoom(name, folder, base);
            folder.makeFolder(base, 0700);
            if (target.overlay()) {
                // A whiteout or a file of this layer was there, and had hidden what is below.
                folders.hideLower(folder, base);
            }
        }
    }

    private void file(String name, Folder folder, byte[] base, TarEntry entry, TarReader archive) throws IOException {
        try (OpenFile file = newFile(name, folder, base)) {
            long end = 0;
            for (Segment segment : archive.segments()) {
                end = content(file, segment, archive);
            }
            if (end < entry.size()) {
                file.truncate(entry.size());
            }
            // Owner before mode and attributes: changing it takes set-id bits and capabilities away.
            file.chown(id(entry.uid()), id(entry.gid()));
            file.chmod(entry.mode());
            xattrs(folder, base, entry);
            file.times(accessed(entry), modified(entry));
        }
    }

    private OpenFile newFile(String name, Folder folder, byte[] base) throws ErrnoException {
        try {
            return folder.makeFile(base);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EEXIST) {
                throw e;
            }
        }
        makeRoom(name, folder, base);
        return folder.makeFile(base);
    }

    /** Where the segment ends. */
    private long content(OpenFile file, Segment segment, TarReader archive) throws IOException {
        long at = segment.offset();
        long end = at + segment.length();
        while (at < end) {
            int count = archive.read(buffer, 0, (int) Math.min(buffer.length, end - at));
            file.write(nativeBuffer, buffer, 0, count, at);
            at += count;
        }
        return end;
    }

    private void link(String name, Folder folder, byte[] base, String existing) throws IOException {
        if (existing.isEmpty()) {
            throw new InvalidArgumentException("it is a hard link to the root");
        }
        if (existing.equals(name)) {
            throw new InvalidArgumentException("it is a hard link to itself");
        }
        makeRoom(name, folder, base);
        String fromName = LayerNames.parent(existing);
        byte[] fromBase = ByteStrings.bytes(LayerNames.base(existing));
        Optional<Folder> from = folders.find(fromName);
        Optional<FileStat> there = from.isPresent() ? VisibleLayers.stat(from.get(), fromBase) : Optional.empty();
        if (there.isEmpty()) {
            copyUp(existing, fromName, fromBase);
        } else if (there.get().isFolder() || (target.overlay() && VisibleLayers.isWhiteout(there.get()))) {
            throw noTarget(existing);
        }
        Folder source = folders.get(fromName);
        folders.get(LayerNames.parent(name)).makeHardLink(base, source, fromBase);
    }

    private static InvalidArgumentException noTarget(String name) {
        return new InvalidArgumentException(
                "it is a hard link to \"%s\", which is no file here".formatted(LayerNames.text(name)));
    }

    /** Brings a file of a layer below into this one, because this one has a hard link to it. */
    private void copyUp(String name, String folder, byte[] base) throws IOException {
        try (Found below = visible.find(name).orElseThrow(() -> noTarget(name))) {
            if (!below.stat().isRegularFile()) {
                throw noTarget(name);
            }
            copy(below, folders.get(folder), base);
        }
    }

    private void copy(Found below, Folder folder, byte[] base) throws IOException {
        byte[] belowBase = ByteStrings.bytes(below.base());
        try (OpenFile source = below.folder().openFile(belowBase);
                OpenFile copy = folder.makeFile(base)) {
            long at = 0;
            for (int count = source.read(nativeBuffer, buffer, 0, buffer.length);
                    count > 0;
                    count = source.read(nativeBuffer, buffer, 0, buffer.length)) {
                copy.write(nativeBuffer, buffer, 0, count, at);
                at += count;
            }
            FileStat stat = below.stat();
            copy.chown(stat.uid(), stat.gid());
            copy.chmod(stat.permissions());
            for (byte[] attribute : Xattrs.list(below.folder(), belowBase)) {
                Optional<byte[]> value = Xattrs.get(below.folder(), belowBase, attribute);
                if (value.isPresent() && !steersOverlay(ByteStrings.of(attribute))) {
                    Xattrs.set(folder, base, attribute, value.get());
                }
            }
            copy.times(stat.modified(), stat.modified());
        }
    }

    private void attributes(Folder folder, byte[] base, TarEntry entry) throws IOException {
        folder.chown(base, id(entry.uid()), id(entry.gid()));
        if (entry.type() != EntryType.SYMLINK) {
            folder.chmod(base, entry.mode());
        }
        xattrs(folder, base, entry);
    }

    private void xattrs(Folder folder, byte[] base, TarEntry entry) throws IOException {
        for (Map.Entry<String, String> xattr : entry.xattrs().entrySet()) {
            if (steersOverlay(xattr.getKey())) {
                leftOut(xattr.getKey(), "no layer may set it");
                continue;
            }
            try {
                Xattrs.set(folder, base, ByteStrings.bytes(xattr.getKey()), ByteStrings.bytes(xattr.getValue()));
            } catch (ErrnoException e) {
                // As containerd does it: not every file system has every attribute.
                if (e.errno() != Errno.EOPNOTSUPP && e.errno() != Errno.EPERM) {
                    throw e;
                }
                leftOut(xattr.getKey(), String.valueOf(e.getMessage()));
            }
        }
    }

    /** Told once for a layer: its entries may be millions. */
    private void leftOut(String xattr, String why) {
        if (!toldOfXattrs) {
            toldOfXattrs = true;
            log.atWarn()
                    .addKeyValue("xattr", LayerNames.text(xattr))
                    .addKeyValue("err", why)
                    .log("an extended attribute of a layer is left out, perhaps others too");
        }
    }

    /** Overlayfs would follow these to other files of the layers below; containerd takes none of {@code trusted.}, either. */
    private static boolean steersOverlay(String attribute) {
        return attribute.startsWith("trusted.") || attribute.startsWith("user.overlay.");
    }

    private static int id(long number) {
        if (number < 0 || number > MAX_ID) {
            throw new InvalidArgumentException("an owner or device number is %d".formatted(number));
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

    private void whiteOut(String parent, String base) throws IOException {
        if (base.isEmpty() || base.equals(".") || base.equals("..")) {
            throw new InvalidArgumentException("it is a whiteout for \"%s\"".formatted(LayerNames.text(base)));
        }
        byte[] name = ByteStrings.bytes(base);
        makeRoom(LayerNames.join(parent, base), folders.get(parent), name);
        if (target.overlay()) {
            folders.get(parent).makeNode(name, FileStat.S_IFCHR, 0, 0);
        }
    }

    /** Hides what layers below have in a folder; what this layer wrote there before stays. */
    private void makeOpaque(String name) throws IOException {
        Folder folder = folders.get(name);
        if (target.overlay()) {
            folders.hideLower(folder, new byte[] {'.'});
            return;
        }
        // Opened anew: entries are read once.
        List<Folder.Entry> children;
        try (Folder listed = folder.child(new byte[] {'.'})) {
            children = listed.entries();
        }
        for (Folder.Entry child : children) {
            String inside = LayerNames.join(name, ByteStrings.of(child.name()));
            if (!written.contains(inside)) {
                makeRoom(inside, folders.get(name), child.name());
            }
        }
    }

    @Override
    public void close() {
        folders.close();
        nativeBuffer.close();
    }
}
