package dev.longshore.stargz.fuse;

import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.stargz.index.Attributes;
import dev.longshore.stargz.index.LayerIndex;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What a layer answers to requests about names and attributes. Nothing ever changes, so the kernel may keep everything, also that
 * there is no such name. Safe for use by many threads.
 *
 * <p>Each method writes the answer's body at the beginning of a buffer and returns its length, or an error number with a minus.
 */
final class Answers {

    /** Seconds that the kernel may keep an answer for: one day. */
    private static final long KEEP = 86_400;

    private static final int BLOCK = 4096;
    private static final int NAME_MAX = 255;

    /** Offsets in a folder: 1 is behind {@code .}, 2 behind {@code ..}, 2 + n behind the n-th name. */
    private static final int DOTS = 2;

    private static final byte[] OPAQUE = {'y'};

    private final LayerIndex index;
    private final List<byte[]> opaqueXattrs;
    private final Optional<StatusFolder> status;

    Answers(LayerIndex index, FuseOptions options) {
        this.index = index;
        this.opaqueXattrs = options.opaqueXattrs().stream()
                .map(name -> name.getBytes(StandardCharsets.UTF_8))
                .toList();
        this.status = options.status().map(StatusFolder::new);
    }

    /** Whether it is an inode of the layer, and no other one that the mount has. */
    boolean isLayers(long node) {
        return node >= 1 && node <= index.inodes();
    }

    Optional<StatusFolder> status() {
        return status;
    }

    /** To requests that a layer's index alone can answer; all others are not supported. */
    int answer(Request request, ByteBuffer out) {
        long node = request.header().node();
        return switch (request) {
            case Request.Lookup lookup -> lookup(node, lookup.name(), out);
            case Request.ReadFolder folder -> list(folder, out);
            // Not supported, and so never asked again, where no file of the layer has any.
            case Request.GetXattr xattr -> index.hasXattrs() ? xattr(xattr, out) : -Errno.ENOSYS;
            case Request.ListXattr list -> index.hasXattrs() ? xattrs(list, out) : -Errno.ENOSYS;
            case Request.Plain plain ->
                switch (plain.kind()) {
                    case GETATTR -> attributes(node, out);
                    case READLINK -> target(node, out);
                    case STATFS -> statfs(out);
                    case DONE, FORGET -> 0;
                    case CHANGE -> -Errno.EROFS;
                    case UNKNOWN -> -Errno.ENOSYS;
                    case MALFORMED -> -Errno.EINVAL;
                };
            case Request.Init _,
                    Request.Interrupt _,
                    Request.Open _,
                    Request.OpenFolder _,
                    Request.Read _,
                    Request.Release _ -> -Errno.ENOSYS;
        };
    }

    private int lookup(long folder, byte[] name, ByteBuffer out) {
        if (status.isPresent() && status.get().has(folder, name)) {
            return entry(status.get().node(folder), out, 0);
        }
        if (!isLayers(folder)) {
            return -Errno.ENOENT;
        }
        int inode = index.lookup((int) folder, name);
        if (inode == 0) {
            zero(out, 0, Protocol.ENTRY_OUT);
            out.putLong(16, KEEP);
            return Protocol.ENTRY_OUT;
        }
        return entry(inode, out, 0);
    }

    private int entry(long node, ByteBuffer out, int at) {
        long keep = isLayers(node) ? KEEP : 0;
        out.putLong(at, node)
                .putLong(at + 8, 0)
                .putLong(at + 16, keep)
                .putLong(at + 24, keep)
                .putLong(at + 32, 0);
        attributes(node, out, at + 40);
        return Protocol.ENTRY_OUT;
    }

    private int attributes(long node, ByteBuffer out) {
        if (!isLayers(node) && !isStatus(node)) {
            return -Errno.ESTALE;
        }
        out.putLong(0, isLayers(node) ? KEEP : 0).putLong(8, 0);
        attributes(node, out, 16);
        return Protocol.ATTR_OUT;
    }

    private boolean isStatus(long node) {
        return status.isPresent() && status.get().isNode(node);
    }

    private void attributes(long node, ByteBuffer out, int at) {
        if (!isLayers(node)) {
            status.orElseThrow().attributes(node, out, at);
            return;
        }
        Attributes a = index.attributes((int) node);
        put(out, at, node, a.size(), a.mtimeSeconds(), a.mtimeNanos(), a.mode(), a.links());
        out.putInt(at + 68, a.uid()).putInt(at + 72, a.gid()).putInt(at + 76, a.rdev());
    }

    /** {@code struct fuse_attr} of a file of root's. */
    static void put(ByteBuffer out, int at, long node, long size, long seconds, int nanos, int mode, int links) {
        out.putLong(at, node)
                .putLong(at + 8, size)
                .putLong(at + 16, (size + 511) / 512)
                .putLong(at + 24, seconds)
                .putLong(at + 32, seconds)
                .putLong(at + 40, seconds)
                .putInt(at + 48, nanos)
                .putInt(at + 52, nanos)
                .putInt(at + 56, nanos)
                .putInt(at + 60, mode)
                .putInt(at + 64, links)
                .putLong(at + 68, 0)
                .putInt(at + 76, 0)
                .putInt(at + 80, BLOCK)
                .putInt(at + 84, 0);
    }

    private int target(long node, ByteBuffer out) {
        if (!isLayers(node) || (index.mode((int) node) & FileStat.S_IFMT) != FileStat.S_IFLNK) {
            return -Errno.EINVAL;
        }
        byte[] target = index.target((int) node);
        out.put(0, target);
        return target.length;
    }

    private int statfs(ByteBuffer out) {
        zero(out, 0, Protocol.STATFS_OUT);
        out.putLong(0, (index.fileBytes() + BLOCK - 1) / BLOCK)
                .putLong(24, index.inodes())
                .putInt(40, BLOCK)
                .putInt(44, NAME_MAX)
                .putInt(48, BLOCK);
        return Protocol.STATFS_OUT;
    }

    // Folders.

    /** As many names as there is room for, from {@code offset} on. */
    private int list(Request.ReadFolder request, ByteBuffer out) {
        if (!isLayers(request.header().node())) {
            return isStatus(request.header().node()) ? 0 : -Errno.ESTALE;
        }
        int folder = (int) request.header().node();
        if (!index.isFolder(folder)) {
            return -Errno.ENOTDIR;
        }
        int room = Math.min(request.size(), out.capacity());
        int last = DOTS + index.count(folder);
        int at = 0;
        for (long next = request.offset(); next < last; next++) {
            int place = (int) next - DOTS;
            byte[] name = place < 0 ? Arrays.copyOf(new byte[] {'.', '.'}, (int) next + 1) : index.name(folder, place);
            int inode = inode(folder, place);
            int head = request.attributes() ? Protocol.ENTRY_OUT : 0;
            int size = align(head + Protocol.DIRENT + name.length);
            if (size > room - at) {
                break;
            }
            if (request.attributes()) {
                putEntry(place < 0 ? 0 : inode, out, at);
            }
            out.putLong(at + size - 8, 0); // what fills the name up
            int dirent = at + head;
            out.putLong(dirent, inode)
                    .putLong(dirent + 8, next + 1)
                    .putInt(dirent + 16, name.length)
                    .putInt(dirent + 20, index.mode(inode) >> 12)
                    .put(dirent + Protocol.DIRENT, name);
            at += size;
        }
        return at;
    }

    private int inode(int folder, int place) {
        return switch (place) {
            case -2 -> folder;
            case -1 -> index.parent(folder);
            default -> index.child(folder, place);
        };
    }

    private void putEntry(int inode, ByteBuffer out, int at) {
        if (inode == 0) {
            zero(out, at, Protocol.ENTRY_OUT);
        } else {
            entry(inode, out, at);
        }
    }

    private static int align(int size) {
        return (size + 7) & ~7;
    }

    // Extended attributes.

    private int xattr(Request.GetXattr request, ByteBuffer out) {
        if (!isLayers(request.header().node())) {
            return -Errno.ENODATA;
        }
        int inode = (int) request.header().node();
        boolean opaque = index.opaque(inode) && opaqueXattrs.stream().anyMatch(o -> Arrays.equals(o, request.name()));
        Optional<byte[]> value = opaque ? Optional.of(OPAQUE) : index.xattr(inode, request.name());
        return value.map(bytes -> sized(bytes, request.size(), out)).orElse(-Errno.ENODATA);
    }

    private int xattrs(Request.ListXattr request, ByteBuffer out) {
        if (!isLayers(request.header().node())) {
            return sized(new byte[0], request.size(), out);
        }
        int inode = (int) request.header().node();
        List<byte[]> names = new ArrayList<>(index.xattrs(inode));
        if (index.opaque(inode)) {
            opaqueXattrs.stream()
                    .filter(name -> names.stream().noneMatch(other -> Arrays.equals(name, other)))
                    .forEach(names::add);
        }
        ByteBuffer list = ByteBuffer.allocate(
                names.stream().mapToInt(name -> name.length + 1).sum());
        names.forEach(name -> list.put(name).put((byte) 0));
        byte[] bytes = new byte[list.position()];
        list.get(0, bytes);
        return sized(bytes, request.size(), out);
    }

    /** Who asks with no room asks for the size. */
    private static int sized(byte[] bytes, int room, ByteBuffer out) {
        if (room == 0) {
            out.putLong(0, bytes.length);
            return Protocol.GETXATTR_OUT;
        }
        if (bytes.length > room) {
            return -Errno.ERANGE;
        }
        if (bytes.length > out.capacity()) {
            return -Errno.E2BIG;
        }
        out.put(0, bytes);
        return bytes.length;
    }

    private static void zero(ByteBuffer out, int at, int length) {
        for (int i = 0; i < length; i += 8) {
            out.putLong(at + i, 0);
        }
    }
}
