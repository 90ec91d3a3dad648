package dev.longshore.stargz.index;

/**
 * Where things are in an index file. All numbers are little-endian. The header is followed by the sections in the order of the
 * constants {@code INODES} to {@code TEXT}; offsets into the text are those of its section.
 *
 * <p>Inode numbers are those of live mounts, whose kernel side outlives the program: a new version of the format must give the
 * same numbers to the same table of contents, or go on reading the old one.
 */
final class IndexFormat {

    /** "LSLAYER" and the version. */
    static final long MAGIC = 0x01_52_45_59_41_4c_53_4cL;

    // Header.
    static final int HEADER_SIZE = 96;
    static final int H_MAGIC = 0;
    static final int H_INODES = 8;
    static final int H_NAMES = 12;
    static final int H_CHUNKS = 16;
    static final int H_STREAMS = 20;
    static final int H_XATTR_BYTES = 24;
    static final int H_TEXT_BYTES = 28;
    static final int H_FLAGS = 32;
    static final int H_FILES = 36;
    static final int H_DATA_END = 40;
    static final int H_PREFETCH_END = 48;
    static final int H_FILE_BYTES = 56;
    /** CRC-32C of all that follows the header. */
    static final int H_BODY_CRC = 64;
    /** CRC-32C of the header before it. */
    static final int H_CRC = 68;

    static final int FLAG_XATTRS = 1;
    static final int FLAG_UNVERIFIED = 2;
    static final int FLAG_NO_PREFETCH = 4;

    // An inode, numbered from 1.
    static final int INODE_SIZE = 56;
    static final int I_SIZE = 0;
    static final int I_MTIME = 8;
    static final int I_MTIME_NANOS = 16;
    static final int I_UID = 20;
    static final int I_GID = 24;
    /** Folder: its first name; file: its first chunk; symbolic link: its target in the text; device: its number. */
    static final int I_FIRST = 28;
    /** Folder: its names; file: its chunks; symbolic link: bytes of its target. */
    static final int I_COUNT = 32;

    static final int I_LINKS = 36;
    /** Offset in the section of extended attributes, plus 1; 0 for none. */
    static final int I_XATTRS = 40;
    /** The folder of its first name; 0 for the root. */
    static final int I_PARENT = 44;
    /** Its first name's number; for {@link LayerIndex#path}. */
    static final int I_NAME = 48;

    static final int I_MODE = 52;
    static final int I_FLAGS = 54;

    static final int INODE_OPAQUE = 1;
    /** While it is built: made for an entry below it, and not an entry of its own. Never in a file. */
    static final int INODE_IMPLICIT = 2;

    // A name in a folder; those of a folder follow each other, sorted. One more at the end, where the text of the last
    // ends.
    static final int NAME_SIZE = 8;
    static final int N_TEXT = 0;
    static final int N_INODE = 4;

    // A chunk; those of a file follow each other, and the files' are in the order of their inodes.
    static final int CHUNK_SIZE = 48;
    static final int C_FILE_OFFSET = 0;
    /** Number of the stream; the highest bit set if there is no digest. */
    static final int C_STREAM = 8;

    static final int C_INNER_OFFSET = 12;
    static final int C_DIGEST = 16;
    static final int NO_DIGEST = 1 << 31;
    static final int DIGEST_SIZE = 32;

    /** Where a compressed stream begins in the blob. */
    static final int STREAM_SIZE = 8;

    private IndexFormat() {}
}
