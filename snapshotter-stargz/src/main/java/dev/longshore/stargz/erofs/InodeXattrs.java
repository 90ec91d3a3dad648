package dev.longshore.stargz.erofs;

import static dev.longshore.stargz.erofs.ErofsFormat.XATTR_ENTRY;
import static dev.longshore.stargz.erofs.ErofsFormat.XATTR_HEADER;

import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.stargz.index.LayerIndex;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Extended attributes as they stand behind an inode. */
final class InodeXattrs {

    /** Prefixes have numbers, in the order in which they are tried. */
    private static final Map<String, Integer> PREFIXES = prefixes();

    private final LayerIndex index;
    private final List<String> opaqueXattrs;

    InodeXattrs(LayerIndex index, List<String> opaqueXattrs) {
        this.index = index;
        this.opaqueXattrs = opaqueXattrs;
    }

    private static Map<String, Integer> prefixes() {
        Map<String, Integer> prefixes = new LinkedHashMap<>();
        prefixes.put("user.", 1);
        prefixes.put("system.posix_acl_access", 2);
        prefixes.put("system.posix_acl_default", 3);
        prefixes.put("trusted.", 4);
        prefixes.put("security.", 6);
        return prefixes;
    }

    /**
     * Empty for an inode that has none.
     *
     * @throws UnimplementedException if EROFS cannot keep one of them
     */
    ByteBuffer of(int inode) {
        Map<String, byte[]> xattrs = new LinkedHashMap<>();
        for (byte[] name : index.xattrs(inode)) {
            xattrs.put(
                    new String(name, StandardCharsets.UTF_8),
                    index.xattr(inode, name).orElseThrow());
        }
        if (index.opaque(inode)) {
            opaqueXattrs.forEach(name -> xattrs.put(name, new byte[] {'y'}));
        }
        if (xattrs.isEmpty()) {
            return ByteBuffer.allocate(0);
        }
        int size = XATTR_HEADER;
        for (Map.Entry<String, byte[]> xattr : xattrs.entrySet()) {
            size += entrySize(inode, xattr.getKey(), xattr.getValue());
        }
        if ((size - XATTR_HEADER) / XATTR_ENTRY + 1 > 0xffff) {
            throw unimplemented(inode, "%d bytes of extended attributes".formatted(size));
        }
        ByteBuffer packed = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        int at = XATTR_HEADER;
        for (Map.Entry<String, byte[]> xattr : xattrs.entrySet()) {
            String prefix = prefix(inode, xattr.getKey());
            byte[] name = name(xattr.getKey(), prefix);
            packed.put(at, (byte) name.length)
                    .put(at + 1, PREFIXES.getOrDefault(prefix, 0).byteValue())
                    .putShort(at + 2, (short) xattr.getValue().length)
                    .put(at + XATTR_ENTRY, name)
                    .put(at + XATTR_ENTRY + name.length, xattr.getValue());
            at += entrySize(inode, xattr.getKey(), xattr.getValue());
        }
        return packed;
    }

    /** Of a body of attributes: what the inode says of its length. */
    static int count(int size) {
        return size == 0 ? 0 : (size - XATTR_HEADER) / XATTR_ENTRY + 1;
    }

    /** Bytes of the body of attributes, of which the inode says that {@link #count}. */
    static int size(int count) {
        return count == 0 ? 0 : XATTR_HEADER + (count - 1) * XATTR_ENTRY;
    }

    private int entrySize(int inode, String name, byte[] value) {
        if (value.length > 0xffff) {
            throw unimplemented(inode, "%d bytes in extended attribute %s".formatted(value.length, name));
        }
        int size = XATTR_ENTRY + name(name, prefix(inode, name)).length + value.length;
        return (size + XATTR_ENTRY - 1) / XATTR_ENTRY * XATTR_ENTRY;
    }

    private String prefix(int inode, String name) {
        return PREFIXES.keySet().stream()
                .filter(name::startsWith)
                .findFirst()
                .orElseThrow(() -> unimplemented(inode, "extended attribute " + name));
    }

    private static byte[] name(String name, String prefix) {
        return name.substring(prefix.length()).getBytes(StandardCharsets.UTF_8);
    }

    private UnimplementedException unimplemented(int inode, String what) {
        return new UnimplementedException(
                "EROFS cannot keep %s of %s: the layer stays on FUSE".formatted(what, index.path(inode)));
    }
}
