package dev.longshore.ipfs;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A node with links, as dag-pb writes it: the links first, then the data.
 *
 * @param data empty if the node has none
 * @see <a href="https://ipld.io/specs/codecs/dag-pb/spec/">dag-pb</a>
 */
record DagPb(List<Link> links, Optional<byte[]> data) {

    /** Links of a node that are read; Kubo makes at most 1024 in a file. */
    static final int MAX_LINKS = 16_384;

    private static final int NODE_DATA = 0x0a;
    private static final int NODE_LINK = 0x12;
    private static final int LINK_HASH = 0x0a;
    private static final int LINK_NAME = 0x12;
    private static final int LINK_SIZE = 0x18;

    /** @param totalSize bytes of the block and of all below it, as its writer said; nobody checks it */
    record Link(Cid cid, String name, long totalSize) {}

    DagPb {
        links = List.copyOf(links);
    }

    byte[] encode() {
        ByteArrayOutputStream out = new ByteArrayOutputStream(links.size() * 64 + 64);
        for (Link link : links) {
            byte[] hash = link.cid().bytes();
            byte[] name = link.name().getBytes(StandardCharsets.UTF_8);
            out.write(NODE_LINK);
            Varints.write(
                    out,
                    1
                            + Varints.size(hash.length)
                            + hash.length
                            + 1
                            + Varints.size(name.length)
                            + name.length
                            + 1
                            + Varints.size(link.totalSize()));
            out.write(LINK_HASH);
            Varints.write(out, hash.length);
            out.writeBytes(hash);
            out.write(LINK_NAME);
            Varints.write(out, name.length);
            out.writeBytes(name);
            out.write(LINK_SIZE);
            Varints.write(out, link.totalSize());
        }
        data.ifPresent(bytes -> {
            out.write(NODE_DATA);
            Varints.write(out, bytes.length);
            out.writeBytes(bytes);
        });
        return out.toByteArray();
    }

    /** @throws DagFormatException if the block is no node, or has too many links */
    static DagPb decode(byte[] block) throws DagFormatException {
        ByteBuffer in = ByteBuffer.wrap(block);
        List<Link> links = new ArrayList<>();
        Optional<byte[]> data = Optional.empty();
        while (in.hasRemaining()) {
            switch (in.get()) {
                case NODE_LINK -> {
                    if (data.isPresent()) {
                        throw new DagFormatException("a dag-pb node has a link behind its data");
                    }
                    if (links.size() == MAX_LINKS) {
                        throw new DagFormatException("a dag-pb node has more than %d links".formatted(MAX_LINKS));
                    }
                    links.add(link(ByteBuffer.wrap(bytes(in))));
                }
                case NODE_DATA -> {
                    if (data.isPresent()) {
                        throw new DagFormatException("a dag-pb node has its data twice");
                    }
                    data = Optional.of(bytes(in));
                }
                default -> throw new DagFormatException("a dag-pb node has a field that is not known");
            }
        }
        return new DagPb(links, data);
    }

    private static Link link(ByteBuffer in) throws DagFormatException {
        Optional<Cid> cid = Optional.empty();
        String name = "";
        long size = 0;
        int last = 0;
        while (in.hasRemaining()) {
            int field = in.get();
            if (field <= last) {
                throw new DagFormatException("fields of a dag-pb link are not in their order");
            }
            last = field;
            switch (field) {
                case LINK_HASH -> {
                    try {
                        cid = Optional.of(Cid.decode(bytes(in)));
                    } catch (InvalidArgumentException e) {
                        throw new DagFormatException("a dag-pb link has no good CID: " + e.getMessage(), e);
                    }
                }
                case LINK_NAME -> name = new String(bytes(in), StandardCharsets.UTF_8);
                case LINK_SIZE -> size = number(in);
                default -> throw new DagFormatException("a dag-pb link has a field that is not known");
            }
        }
        return new Link(cid.orElseThrow(() -> new DagFormatException("a dag-pb link has no CID")), name, size);
    }

    /** A field of bytes; its length is checked before they are copied. */
    static byte[] bytes(ByteBuffer in) throws DagFormatException {
        long length = number(in);
        if (length > in.remaining()) {
            throw new DagFormatException(
                    "a field of a block has %d bytes, of which %d are there".formatted(length, in.remaining()));
        }
        byte[] bytes = new byte[(int) length];
        in.get(bytes);
        return bytes;
    }

    static long number(ByteBuffer in) throws DagFormatException {
        long number = Varints.read(in);
        if (number < 0) {
            throw new DagFormatException("a number in a block is cut off, too large, or not in its shortest form");
        }
        return number;
    }
}
