package dev.longshore.stargz.index;

import static dev.longshore.stargz.index.IndexFormat.*;

import dev.longshore.estargz.EntryType;
import dev.longshore.estargz.TocEntry;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.linux.FileStat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Checks a layer's table of contents, entry by entry, and packs it. For one thread.
 *
 * <p>Order of the checks, because the table is somebody else's: number of entries, size of texts, the name's parts, its folders,
 * whether it is taken, what is particular to its type, chunks against the file and against the blob; hard links at the end. What is
 * refused is an {@link InvalidArgumentException} that names the entry, or a {@link ResourceExhaustedException} for a limit.
 *
 * <p>What stargz-snapshotter does and this does too: missing folders are made, with mode 0755 and root as owner; names are
 * relative to the root with or without {@code ./} and the slash at the end; a whiteout is not shown where the layer has a file of the name; the
 * landmarks are not shown. What it does not: of two entries with a name the later one wins there, and both are refused here.
 *
 * @see <a href="https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts">whiteouts</a>
 */
public final class IndexBuilder {

    static final int ROOT = 1;

    private static final int NAME_MAX = 255;
    private static final int PATH_MAX = 4096;
    private static final int XATTR_NAME_MAX = 255;
    private static final int XATTR_VALUE_MAX = 65536;

    /** What fits a device number of the kernel's. */
    private static final int MAJOR_MAX = 0xfff;

    private static final int MINOR_MAX = 0xfffff;

    private static final String WHITEOUT = ".wh.";
    private static final String WHITEOUT_META = ".wh..wh.";
    private static final String OPAQUE = ".wh..wh..opq";
    private static final String TOC_NAME = "stargz.index.json";
    private static final String PREFETCH_LANDMARK = ".prefetch.landmark";
    private static final String NO_PREFETCH_LANDMARK = ".no.prefetch.landmark";

    /** Instead of an inode: a name that is not shown. */
    private static final int HIDDEN = 0;

    /** Instead of an offset. */
    private static final int NO_XATTRS = -1;

    private final IndexLimits limits;
    private final long dataEnd;

    private final NameTable names = new NameTable();
    /** Names of whiteouts, which have a space of their own: the inode is the device's. */
    private final NameTable whiteouts = new NameTable();

    private final Records inodes = new Records(INODE_SIZE);
    private final Records chunks = new Records(CHUNK_SIZE);
    private final Records streams = new Records(STREAM_SIZE);

    /** Hard links: their targets, under the negative number that they have instead of an inode. */
    private final Map<Integer, String> hardLinks = new HashMap<>();

    private final TextPool targets = new TextPool();
    private final TextPool xattrs = new TextPool();
    private final Map<ByteBuffer, Integer> xattrSets = new HashMap<>();

    private int entries;
    private int flags;
    private int files;
    private long fileBytes;
    private long prefetchEnd = -1;

    private String lastFolder = "";
    private int lastFolderInode = ROOT;

    /** The regular file whose chunks are being read; its inode is HIDDEN if it is not shown. */
    private String file = "";

    private int fileInode = HIDDEN;
    private boolean inFile;
    private long fileSize;
    private long fileDone;
    private Optional<Digest> fileDigest = Optional.empty();

    private long lastStream = -1;
    private long lastInnerEnd;
    private boolean finished;

    /** @param dataEnd where the compressed streams of files end in the blob: where the table of contents begins, or the blob's size */
    public IndexBuilder(long dataEnd, IndexLimits limits) {
        this.dataEnd = dataEnd;
        this.limits = limits;
        newInode(FileStat.S_IFDIR | 0755);
        putFlag(ROOT, INODE_IMPLICIT);
    }

    /**
     * Takes the next entry of the table.
     *
     * @throws InvalidArgumentException if it must not be in a table of contents
     * @throws ResourceExhaustedException if it is one too many
     */
    public void add(TocEntry entry) {
        if (entries++ >= limits.entries()) {
            throw new ResourceExhaustedException(
                    "the table of contents has more than %d entries, which is the limit".formatted(limits.entries()));
        }
        if (entry.type() == EntryType.CHUNK) {
            addFurtherChunk(entry);
            return;
        }
        endFile();
        String name = clean(entry.name(), entry.name());
        if (name.isEmpty()) {
            if (entry.type() != EntryType.DIR) {
                throw refused(entry.name(), "the root must be a folder");
            }
            fillFolder(ROOT, entry);
            return;
        }
        int slash = name.lastIndexOf('/');
        int folder = folder(slash < 0 ? "" : name.substring(0, slash), entry.name());
        addNamed(folder, name.substring(slash + 1), name, entry);
    }

    private void addNamed(int folder, String base, String name, TocEntry entry) {
        if (base.equals(OPAQUE)) {
            putFlag(folder, INODE_OPAQUE);
            flags |= FLAG_XATTRS;
            hide(folder, base, entry);
        } else if (base.startsWith(WHITEOUT_META)) {
            hide(folder, base, entry); // other marks of AUFS, which mean nothing here
        } else if (base.startsWith(WHITEOUT)) {
            addWhiteout(folder, base.substring(WHITEOUT.length()), entry);
        } else if (folder == ROOT && isOfTheFormat(base)) {
            if (base.equals(PREFETCH_LANDMARK)) {
                prefetchEnd = entry.offset();
            } else if (base.equals(NO_PREFETCH_LANDMARK)) {
                flags |= FLAG_NO_PREFETCH;
            }
            hide(folder, base, entry);
        } else {
            addShown(folder, base, name, entry);
        }
    }

    private static boolean isOfTheFormat(String base) {
        return base.equals(PREFETCH_LANDMARK) || base.equals(NO_PREFETCH_LANDMARK) || base.equals(TOC_NAME);
    }

    private void hide(int folder, String base, TocEntry entry) {
        byte[] bytes = nameBytes(base, entry.name());
        if (names.find(folder, bytes) >= 0) {
            throw refused(entry.name(), "there is a second entry of that name");
        }
        names.add(folder, bytes, HIDDEN);
        beginFile(entry, HIDDEN);
    }

    private void addWhiteout(int folder, String hidden, TocEntry entry) {
        if (hidden.isEmpty() || hidden.equals(".") || hidden.equals("..")) {
            throw refused(entry.name(), "a whiteout must name what it hides");
        }
        byte[] bytes = nameBytes(hidden, entry.name());
        if (whiteouts.find(folder, bytes) >= 0) {
            throw refused(entry.name(), "there is a second entry of that name");
        }
        int inode = newInode(FileStat.S_IFCHR);
        putTime(inode, entry);
        whiteouts.add(folder, bytes, inode);
        checkText();
        beginFile(entry, HIDDEN);
    }

    private void addShown(int folder, String base, String name, TocEntry entry) {
        byte[] bytes = nameBytes(base, entry.name());
        int node = names.find(folder, bytes);
        if (node >= 0) {
            int there = names.inode(node);
            if (entry.type() == EntryType.DIR && there > 0 && has(there, INODE_IMPLICIT)) {
                fillFolder(there, entry);
                return;
            }
            throw refused(entry.name(), "there is a second entry of that name, or one below it");
        }
        if (entry.type() == EntryType.HARDLINK) {
            int link = -1 - hardLinks.size();
            hardLinks.put(link, entry.linkName());
            names.add(folder, bytes, link);
            targets.count(entry.linkName().length());
            checkText();
            return;
        }
        int inode = newInode(type(entry.type()) | permissions(entry));
        putNode(inode, folder, names.add(folder, bytes, inode));
        putMetadata(inode, entry);
        switch (entry.type()) {
            case DIR -> rememberFolder(name, inode);
            case REG -> beginFile(entry, inode);
            case SYMLINK -> putTarget(inode, entry);
            case CHAR, BLOCK -> putDevice(inode, entry);
            case FIFO, HARDLINK, CHUNK -> {}
        }
        checkText();
    }

    private void rememberFolder(String path, int inode) {
        lastFolder = path;
        lastFolderInode = inode;
    }

    private static int type(EntryType type) {
        return switch (type) {
            case DIR -> FileStat.S_IFDIR;
            case REG -> FileStat.S_IFREG;
            case SYMLINK -> FileStat.S_IFLNK;
            case CHAR -> FileStat.S_IFCHR;
            case BLOCK -> FileStat.S_IFBLK;
            case FIFO -> FileStat.S_IFIFO;
            case HARDLINK, CHUNK -> throw new IllegalArgumentException(type + " has no inode");
        };
    }

    private static int permissions(TocEntry entry) {
        if ((entry.mode() & ~07777) != 0) {
            throw refused(entry.name(), "mode %o has bits that are no permissions".formatted(entry.mode()));
        }
        return entry.type() == EntryType.SYMLINK ? 0777 : entry.mode();
    }

    private void fillFolder(int inode, TocEntry entry) {
        if (!has(inode, INODE_IMPLICIT)) {
            throw refused(entry.name(), "there is a second entry of that name");
        }
        ByteBuffer view = inodes.view();
        int at = at(inode);
        view.putShort(at + I_FLAGS, (short) (view.getShort(at + I_FLAGS) & ~INODE_IMPLICIT));
        view.putShort(at + I_MODE, (short) (FileStat.S_IFDIR | permissions(entry)));
        putMetadata(inode, entry);
        checkText();
    }

    private void putTarget(int inode, TocEntry entry) {
        byte[] target = entry.linkName().getBytes(StandardCharsets.UTF_8);
        if (target.length == 0 || target.length >= PATH_MAX || entry.linkName().indexOf('\0') >= 0) {
            throw refused(
                    entry.name(),
                    "the target of a symbolic link must have 1 to %d bytes, none of them zero".formatted(PATH_MAX - 1));
        }
        int at = at(inode);
        inodes.view()
                .putInt(at + I_FIRST, targets.add(target))
                .putInt(at + I_COUNT, target.length)
                .putLong(at + I_SIZE, target.length);
    }

    private void putDevice(int inode, TocEntry entry) {
        int major = entry.devMajor();
        int minor = entry.devMinor();
        if (major < 0 || major > MAJOR_MAX || minor < 0 || minor > MINOR_MAX) {
            throw refused(entry.name(), "device %d:%d is beyond %d:%d".formatted(major, minor, MAJOR_MAX, MINOR_MAX));
        }
        inodes.view().putInt(at(inode) + I_FIRST, (minor & 0xff) | major << 8 | (minor & ~0xff) << 12);
    }

    private void putMetadata(int inode, TocEntry entry) {
        int at = at(inode);
        inodes.view().putInt(at + I_UID, entry.uid()).putInt(at + I_GID, entry.gid());
        putTime(inode, entry);
        int set = xattrSet(entry);
        if (set != NO_XATTRS) {
            inodes.view().putInt(at + I_XATTRS, set + 1);
            flags |= FLAG_XATTRS;
        }
    }

    private void putTime(int inode, TocEntry entry) {
        Instant time = entry.modTime();
        inodes.view()
                .putLong(at(inode) + I_MTIME, time.getEpochSecond())
                .putInt(at(inode) + I_MTIME_NANOS, time.getNano());
    }

    /** What would steer overlayfs is not taken from a layer: it could show files of the host's. */
    private static boolean isTaken(String xattr) {
        return !xattr.startsWith("trusted.") && !xattr.startsWith("user.overlay.");
    }

    /** Sets that many files have are kept once. */
    private int xattrSet(TocEntry entry) {
        if (entry.xattrs().isEmpty()) {
            return NO_XATTRS;
        }
        int size = 2;
        Map<byte[], byte[]> sorted = new TreeMap<>(Arrays::compareUnsigned);
        for (Map.Entry<String, byte[]> xattr : entry.xattrs().entrySet()) {
            byte[] name = xattr.getKey().getBytes(StandardCharsets.UTF_8);
            byte[] value = xattr.getValue();
            if (!isTaken(xattr.getKey())) {
                continue;
            }
            if (name.length == 0
                    || name.length > XATTR_NAME_MAX
                    || xattr.getKey().indexOf('\0') >= 0) {
                throw refused(
                        entry.name(), "the name of an extended attribute must have 1 to 255 bytes, none of them zero");
            }
            if (value.length > XATTR_VALUE_MAX) {
                throw refused(
                        entry.name(),
                        "extended attribute %s has %d bytes, more than Linux keeps"
                                .formatted(xattr.getKey(), value.length));
            }
            size = Math.addExact(size, 5 + name.length + value.length);
            sorted.put(name, value);
        }
        if (sorted.isEmpty()) {
            return NO_XATTRS;
        }
        if (size > limits.textBytes() || sorted.size() > 0xffff) {
            throw refused(entry.name(), "%d bytes of extended attributes are too many".formatted(size));
        }
        byte[] packed = new byte[size];
        ByteBuffer set = ByteBuffer.wrap(packed).order(ByteOrder.LITTLE_ENDIAN);
        set.putShort((short) sorted.size());
        sorted.forEach((name, value) ->
                set.put((byte) name.length).putInt(value.length).put(name).put(value));
        return xattrSets.computeIfAbsent(set.flip(), _ -> xattrs.add(packed));
    }

    // Chunks.

    private void beginFile(TocEntry entry, int inode) {
        if (entry.type() != EntryType.REG) {
            return;
        }
        if (entry.size() < 0) {
            throw refused(entry.name(), "size %d is negative".formatted(entry.size()));
        }
        file = entry.name();
        fileInode = inode;
        inFile = true;
        fileSize = entry.size();
        fileDone = 0;
        fileDigest = entry.digest();
        if (inode != HIDDEN) {
            files++;
            fileBytes += fileSize;
            if (fileBytes < 0) {
                throw refused(entry.name(), "the sizes of the files add up to more than 2^63");
            }
            inodes.view().putLong(at(inode) + I_SIZE, fileSize).putInt(at(inode) + I_FIRST, chunks.count());
        }
        if (fileSize > 0) {
            addChunk(entry);
        }
    }

    private void addFurtherChunk(TocEntry entry) {
        if (!inFile) {
            throw refused(entry.name(), "a chunk must follow the file that it is a part of");
        }
        if (!entry.name().isEmpty() && !clean(entry.name(), entry.name()).equals(clean(file, file))) {
            throw refused(entry.name(), "a chunk follows \"%.256s\", which it is no part of".formatted(file));
        }
        addChunk(entry);
    }

    private void addChunk(TocEntry entry) {
        long size = entry.chunkSize() == 0 ? fileSize - fileDone : entry.chunkSize();
        if (entry.chunkOffset() != fileDone) {
            throw refused(
                    file,
                    "a chunk begins at %d of the file, where the one before it ends at %d"
                            .formatted(entry.chunkOffset(), fileDone));
        }
        if (size <= 0 || size > fileSize - fileDone) {
            throw refused(
                    file, "a chunk of %d bytes at %d is not within the file's %d".formatted(size, fileDone, fileSize));
        }
        if (size > limits.chunkBytes()) {
            throw new ResourceExhaustedException(
                    "table of contents: entry \"%.256s\" has a chunk of %d bytes; the limit is %d"
                            .formatted(file, size, limits.chunkBytes()));
        }
        int stream = stream(entry, size);
        if (fileInode != HIDDEN) {
            putChunk(entry, stream);
        }
        fileDone += size;
    }

    /** The number of the compressed stream with the chunk; it is in no other chunk's place, nor outside of the blob. */
    private int stream(TocEntry entry, long size) {
        long offset = entry.offset();
        long inner = entry.innerOffset();
        if (offset < 0 || offset >= dataEnd) {
            throw refused(file, "a chunk is at %d of the blob, whose files end at %d".formatted(offset, dataEnd));
        }
        if (inner < 0 || inner > 0xffff_ffffL) {
            throw refused(file, "a chunk is at %d of its stream: the limit is 2^32".formatted(inner));
        }
        if (offset < lastStream || (offset == lastStream && inner < lastInnerEnd)) {
            throw refused(
                    file,
                    "a chunk at %d of the blob, %d of its stream, overlaps one before it or is not in the blob's order"
                            .formatted(offset, inner));
        }
        lastInnerEnd = inner + size;
        if (offset != lastStream) {
            lastStream = offset;
            int added = streams.add();
            streams.view().putLong(streams.at(added), offset);
        }
        return streams.count() - 1;
    }

    private void putChunk(TocEntry entry, int stream) {
        Optional<Digest> digest = entry.chunkDigest();
        if (digest.isEmpty() && fileDone == 0 && (entry.chunkSize() == 0 || entry.chunkSize() == fileSize)) {
            digest = fileDigest; // as stargz-snapshotter: the one chunk of a file is the file
        }
        int chunk = chunks.add();
        int at = chunks.at(chunk);
        ByteBuffer view = chunks.view();
        view.putLong(at + C_FILE_OFFSET, fileDone).putInt(at + C_INNER_OFFSET, (int) entry.innerOffset());
        if (digest.isEmpty()) {
            flags |= FLAG_UNVERIFIED;
            view.putInt(at + C_STREAM, stream | NO_DIGEST);
        } else {
            if (!digest.get().algorithm().equals("sha256")) {
                throw refused(
                        file,
                        "a chunk's digest is %s: only sha256 is known"
                                .formatted(digest.get().algorithm()));
            }
            view.putInt(at + C_STREAM, stream).put(at + C_DIGEST, digest.get().bytes());
        }
        int countAt = at(fileInode) + I_COUNT;
        inodes.view().putInt(countAt, inodes.view().getInt(countAt) + 1);
    }

    private void endFile() {
        if (inFile && fileDone != fileSize) {
            throw refused(file, "its chunks have %d bytes, the file %d".formatted(fileDone, fileSize));
        }
        inFile = false;
    }

    // Names.

    /** Without slashes at the end, empty parts and parts that are a single dot; empty for the root. */
    private static String clean(String name, String entry) {
        if (name.isEmpty()) {
            throw refused(entry, "it has no name");
        }
        if (name.length() > PATH_MAX) {
            throw refused(entry, "the name has more than %d characters".formatted(PATH_MAX));
        }
        // What tar writes: "./usr/bin/", or "usr/bin/".
        int begin = name.startsWith("./") ? 2 : 0;
        int end = name.length() > begin && name.endsWith("/") ? name.length() - 1 : name.length();
        String inner = name.substring(begin, end);
        if (isClean(inner)) {
            return inner;
        }
        if (name.startsWith("/") && !name.equals("/")) {
            throw refused(entry, "the name must be relative to the layer's root");
        }
        return join(name, entry);
    }

    /** Whether no part of a name is empty or begins with a dot. */
    private static boolean isClean(String name) {
        boolean begins = true;
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (begins && (c == '.' || c == '/')) {
                return false;
            }
            begins = c == '/';
        }
        return !begins;
    }

    private static String join(String name, String entry) {
        StringBuilder clean = new StringBuilder(name.length());
        for (String part : name.split("/", -1)) {
            if (part.equals("..")) {
                throw refused(entry, "\"..\" is in a name");
            }
            if (!part.isEmpty() && !part.equals(".")) {
                clean.append(clean.isEmpty() ? "" : "/").append(part);
            }
        }
        return clean.toString();
    }

    /** The folder's inode; it and those above it are made if need be. */
    private int folder(String path, String entry) {
        if (path.isEmpty()) {
            return ROOT;
        }
        if (path.equals(lastFolder)) {
            return lastFolderInode;
        }
        int inode = ROOT;
        for (String part : path.split("/", -1)) {
            inode = child(inode, part, entry);
        }
        rememberFolder(path, inode);
        return inode;
    }

    private int child(int folder, String part, String entry) {
        if (part.startsWith(WHITEOUT)) {
            throw refused(entry, "\"%.256s\", which is a whiteout, has an entry below it".formatted(part));
        }
        byte[] bytes = nameBytes(part, entry);
        int node = names.find(folder, bytes);
        if (node >= 0) {
            int inode = names.inode(node);
            if (inode <= 0 || !isFolder(inode)) {
                throw refused(entry, "\"%.256s\", which is no folder, has an entry below it".formatted(part));
            }
            return inode;
        }
        int inode = newInode(FileStat.S_IFDIR | 0755);
        putNode(inode, folder, names.add(folder, bytes, inode));
        putFlag(inode, INODE_IMPLICIT);
        checkText();
        return inode;
    }

    private static byte[] nameBytes(String name, String entry) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > NAME_MAX) {
            throw refused(
                    entry,
                    "a name of %d bytes is longer than the %d that Linux takes".formatted(bytes.length, NAME_MAX));
        }
        if (name.indexOf('\0') >= 0) {
            throw refused(entry, "a zero byte is in a name");
        }
        return bytes;
    }

    private void checkText() {
        long size = (long) names.textSize() + whiteouts.textSize() + targets.size() + xattrs.size();
        if (size > limits.textBytes()) {
            throw new ResourceExhaustedException(
                    "the table of contents has more than %d bytes of names, targets and extended attributes, which is the limit"
                            .formatted(limits.textBytes()));
        }
    }

    // Inodes.

    private int newInode(int mode) {
        // Folders that had to be made count too: one name may have thousands.
        if (inodes.count() > limits.entries()) {
            throw new ResourceExhaustedException(
                    "the table of contents makes more than %d files and folders, which is the limit"
                            .formatted(limits.entries()));
        }
        int inode = inodes.add() + 1;
        inodes.view().putShort(at(inode) + I_MODE, (short) mode);
        return inode;
    }

    private int at(int inode) {
        return inodes.at(inode - 1);
    }

    private void putNode(int inode, int parent, int node) {
        inodes.view().putInt(at(inode) + I_PARENT, parent).putInt(at(inode) + I_NAME, node);
    }

    private boolean isFolder(int inode) {
        return (inodes.view().getShort(at(inode) + I_MODE) & FileStat.S_IFMT) == FileStat.S_IFDIR;
    }

    private boolean has(int inode, int flag) {
        return (inodes.view().getShort(at(inode) + I_FLAGS) & flag) != 0;
    }

    private void putFlag(int inode, int flag) {
        int at = at(inode) + I_FLAGS;
        inodes.view().putShort(at, (short) (inodes.view().getShort(at) | flag));
    }

    private static InvalidArgumentException refused(String entry, String why) {
        return new InvalidArgumentException("table of contents: entry \"%.256s\": %s".formatted(entry, why));
    }

    // The end.

    /**
     * Writes the index, durably: a temporary file, synced, renamed, the folder synced.
     *
     * @throws InvalidArgumentException if the table is not complete, or a hard link leads nowhere
     */
    public void finish(Path target) throws IOException {
        if (finished) {
            throw new IllegalStateException("the index is finished");
        }
        finished = true;
        endFile();
        resolveHardLinks();
        addWhiteouts();
        clearImplicit();
        new IndexWriter(inodes, names, chunks, streams, targets, xattrs).write(target, this::header);
    }

    private void header(ByteBuffer header) {
        header.putInt(H_FLAGS, flags)
                .putInt(H_FILES, files)
                .putLong(H_DATA_END, dataEnd)
                .putLong(H_PREFETCH_END, prefetchEnd)
                .putLong(H_FILE_BYTES, fileBytes);
    }

    private void resolveHardLinks() {
        for (int node = 0; node < names.size(); node++) {
            if (names.inode(node) < 0) {
                resolve(node);
            }
        }
    }

    /** Follows a chain of links to its end, and lets all of them be the file there. */
    private void resolve(int first) {
        int node = first;
        // More steps than there are links: in a circle.
        int steps = 0;
        while (names.inode(node) < 0) {
            if (steps++ > hardLinks.size()) {
                throw refused(nodePath(first), "the hard link leads to itself");
            }
            node = target(node);
        }
        int inode = names.inode(node);
        if (inode == HIDDEN) {
            throw refused(nodePath(first), "the hard link leads to an entry that is not shown");
        }
        if (isFolder(inode)) {
            throw refused(nodePath(first), "the hard link leads to a folder");
        }
        for (node = first; names.inode(node) < 0; ) {
            int next = target(node);
            names.setInode(node, inode);
            node = next;
        }
    }

    private int target(int node) {
        String path = hardLinks.get(names.inode(node));
        if (path == null || path.isEmpty()) {
            throw refused(nodePath(node), "the hard link has no target");
        }
        int found = ROOT;
        int at = -1;
        for (String part : join(path, nodePath(node)).split("/", -1)) {
            at = found > 0 ? names.find(found, part.getBytes(StandardCharsets.UTF_8)) : -1;
            if (at < 0) {
                throw refused(nodePath(node), "the hard link's target \"%.256s\" is not there".formatted(path));
            }
            found = names.inode(at);
        }
        return at;
    }

    private String nodePath(int node) {
        String name = new String(names.name(node), StandardCharsets.UTF_8);
        int folder = names.parent(node);
        return folder == ROOT ? name : nodePath(inodes.view().getInt(at(folder) + I_NAME)) + "/" + name;
    }

    private void addWhiteouts() {
        for (int node = 0; node < whiteouts.size(); node++) {
            int folder = whiteouts.parent(node);
            byte[] name = whiteouts.name(node);
            int taken = names.find(folder, name);
            if (taken < 0) {
                int inode = whiteouts.inode(node);
                putNode(inode, folder, names.add(folder, name, inode));
            } else if (names.inode(taken) != HIDDEN && isFolder(names.inode(taken))) {
                // Gone below and made anew here, so that nothing of the one below is in it.
                putFlag(names.inode(taken), INODE_OPAQUE);
                flags |= FLAG_XATTRS;
            }
        }
    }

    private void clearImplicit() {
        for (int inode = ROOT; inode <= inodes.count(); inode++) {
            int at = at(inode) + I_FLAGS;
            inodes.view().putShort(at, (short) (inodes.view().getShort(at) & ~INODE_IMPLICIT));
        }
    }
}
