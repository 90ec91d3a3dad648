package dev.longshore.stargz.fuse;

import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * What the kernel asks. Everything it can send is one of these; those that need no more than their kind are {@link Plain}.
 *
 * @see <a href="https://github.com/torvalds/linux/blob/master/include/uapi/linux/fuse.h">the structures</a>
 */
sealed interface Request {

    /** Every request's: which it is, for the answer, which inode it is about, and the thread that waits; 0 if none does. */
    record Header(int opcode, long unique, long node, int thread) {}

    Header header();

    /** What is asked about the node, or told, without arguments that we use. */
    enum Kind {
        GETATTR,
        READLINK,
        STATFS,
        /** Needs no answer. */
        FORGET,
        /** A release, a flush to the disk, the end: nothing is to be done. */
        DONE,
        /** Would change the file system. */
        CHANGE,
        /** Not known, or not offered: the kernel does without. */
        UNKNOWN,
        /** Not what the protocol says. */
        MALFORMED
    }

    record Plain(Header header, Kind kind) implements Request {}

    record Init(Header header, int major, int minor, int maxReadahead, long flags) implements Request {}

    /** Never compared, as all of these. */
    @SuppressWarnings("ArrayRecordComponent")
    record Lookup(Header header, byte[] name) implements Request {}

    /** A signal has come for who waits for an answer. */
    record Interrupt(Header header, long interrupted) implements Request {}

    record Open(Header header, int flags) implements Request {}

    record OpenFolder(Header header) implements Request {}

    record Release(Header header, long handle) implements Request {}

    record Read(Header header, long offset, int size) implements Request {}

    record ReadFolder(Header header, long offset, int size, boolean attributes) implements Request {}

    /** @param size how much the caller has room for; 0 asks for the size only */
    @SuppressWarnings("ArrayRecordComponent")
    record GetXattr(Header header, byte[] name, int size) implements Request {}

    record ListXattr(Header header, int size) implements Request {}

    /**
     * Takes a request apart.
     *
     * @param length bytes that were read to the beginning of {@code bytes}
     * @return empty if there is not even a header, so that nothing can be answered
     */
    static Optional<Request> parse(ByteBuffer bytes, int length) {
        if (length < Protocol.IN_HEADER || bytes.getInt(0) != length) {
            return Optional.empty();
        }
        Header header = new Header(bytes.getInt(4), bytes.getLong(8), bytes.getLong(16), bytes.getInt(32));
        // Extensions stand at the end; none is asked for, so none is sent.
        ByteBuffer body =
                bytes.slice(Protocol.IN_HEADER, length - Protocol.IN_HEADER).order(bytes.order());
        return Optional.of(RequestBodies.parse(header, body));
    }
}
