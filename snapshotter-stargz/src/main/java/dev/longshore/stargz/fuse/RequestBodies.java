package dev.longshore.stargz.fuse;

import dev.longshore.stargz.fuse.Request.Header;
import dev.longshore.stargz.fuse.Request.Kind;
import dev.longshore.stargz.fuse.Request.Plain;
import java.nio.ByteBuffer;

/** The parts of requests behind their header, checked against the length before they are read. */
final class RequestBodies {

    private static final int GETATTR_IN = 16;
    /** {@code struct fuse_init_in} before it had further flags. */
    private static final int OLD_INIT_IN = 16;

    private static final int INIT_IN = 64;
    private static final int OPEN_IN = 8;
    private static final int RELEASE_IN = 24;
    private static final int READ_IN = 40;
    private static final int GETXATTR_IN = 8;

    private RequestBodies() {}

    static Request parse(Header header, ByteBuffer body) {
        return switch (header.opcode()) {
            case Protocol.LOOKUP -> lookup(header, body);
            case Protocol.FORGET, Protocol.BATCH_FORGET, Protocol.NOTIFY_REPLY -> new Plain(header, Kind.FORGET);
            case Protocol.GETATTR -> new Plain(header, body.limit() < GETATTR_IN ? Kind.MALFORMED : Kind.GETATTR);
            case Protocol.READLINK -> new Plain(header, Kind.READLINK);
            case Protocol.OPEN -> open(header, body);
            case Protocol.OPENDIR -> new Request.OpenFolder(header);
            case Protocol.READ -> read(header, body);
            case Protocol.READDIR, Protocol.READDIRPLUS -> readFolder(header, body);
            case Protocol.STATFS -> new Plain(header, Kind.STATFS);
            case Protocol.RELEASE -> release(header, body);
            case Protocol.GETXATTR -> getXattr(header, body);
            case Protocol.LISTXATTR -> listXattr(header, body);
            case Protocol.INIT -> init(header, body);
            case Protocol.INTERRUPT -> interrupt(header, body);
            case Protocol.FSYNC, Protocol.RELEASEDIR, Protocol.FSYNCDIR, Protocol.DESTROY, Protocol.SYNCFS ->
                new Plain(header, Kind.DONE);
            case Protocol.SETATTR,
                    Protocol.SYMLINK,
                    Protocol.MKNOD,
                    Protocol.MKDIR,
                    Protocol.UNLINK,
                    Protocol.RMDIR,
                    Protocol.RENAME,
                    Protocol.LINK,
                    Protocol.WRITE,
                    Protocol.SETXATTR,
                    Protocol.REMOVEXATTR,
                    Protocol.CREATE,
                    Protocol.FALLOCATE,
                    Protocol.RENAME2,
                    Protocol.COPY_FILE_RANGE,
                    Protocol.TMPFILE -> new Plain(header, Kind.CHANGE);
            default -> new Plain(header, Kind.UNKNOWN);
        };
    }

    private static Plain malformed(Header header) {
        return new Plain(header, Kind.MALFORMED);
    }

    private static Request lookup(Header header, ByteBuffer body) {
        int end = nameEnd(body, 0);
        return end <= 0 ? malformed(header) : new Request.Lookup(header, bytes(body, 0, end));
    }

    private static Request interrupt(Header header, ByteBuffer body) {
        // No answer is due in any case.
        return body.limit() < Long.BYTES
                ? new Plain(header, Kind.FORGET)
                : new Request.Interrupt(header, body.getLong(0));
    }

    private static Request open(Header header, ByteBuffer body) {
        return body.limit() < OPEN_IN ? malformed(header) : new Request.Open(header, body.getInt(0));
    }

    private static Request release(Header header, ByteBuffer body) {
        return body.limit() < RELEASE_IN ? malformed(header) : new Request.Release(header, body.getLong(0));
    }

    private static Request read(Header header, ByteBuffer body) {
        if (body.limit() < READ_IN || body.getLong(8) < 0 || body.getInt(16) < 0) {
            return malformed(header);
        }
        return new Request.Read(header, body.getLong(8), body.getInt(16));
    }

    private static Request readFolder(Header header, ByteBuffer body) {
        if (body.limit() < READ_IN || body.getLong(8) < 0 || body.getInt(16) < 0) {
            return malformed(header);
        }
        boolean attributes = header.opcode() == Protocol.READDIRPLUS;
        return new Request.ReadFolder(header, body.getLong(8), body.getInt(16), attributes);
    }

    private static Request getXattr(Header header, ByteBuffer body) {
        int end = nameEnd(body, GETXATTR_IN);
        if (end <= GETXATTR_IN || body.getInt(0) < 0) {
            return malformed(header);
        }
        return new Request.GetXattr(header, bytes(body, GETXATTR_IN, end), body.getInt(0));
    }

    private static Request listXattr(Header header, ByteBuffer body) {
        if (body.limit() < GETXATTR_IN || body.getInt(0) < 0) {
            return malformed(header);
        }
        return new Request.ListXattr(header, body.getInt(0));
    }

    private static Request init(Header header, ByteBuffer body) {
        if (body.limit() < OLD_INIT_IN) {
            return malformed(header);
        }
        long flags = Integer.toUnsignedLong(body.getInt(12));
        if (body.limit() >= INIT_IN && (flags & Protocol.INIT_EXT) != 0) {
            flags |= Integer.toUnsignedLong(body.getInt(16)) << 32;
        }
        return new Request.Init(header, body.getInt(0), body.getInt(4), body.getInt(8), flags);
    }

    /** Where the zero byte behind a name is; -1 if there is none. */
    private static int nameEnd(ByteBuffer body, int from) {
        for (int i = from; i < body.limit(); i++) {
            if (body.get(i) == 0) {
                return i;
            }
        }
        return -1;
    }

    private static byte[] bytes(ByteBuffer body, int from, int to) {
        byte[] bytes = new byte[to - from];
        body.get(from, bytes);
        return bytes;
    }
}
