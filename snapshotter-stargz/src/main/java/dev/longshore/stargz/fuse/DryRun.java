package dev.longshore.stargz.fuse;

import dev.longshore.stargz.index.LayerIndex;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Has a layer listed and looked up as the kernel would, without a mount. */
public final class DryRun {

    /** What the kernel has room for when it lists a folder. */
    private static final int ROOM = 64 << 10;

    /** Bytes of {@code struct fuse_read_in}. */
    private static final int READ_IN = 40;

    private DryRun() {}

    /** Every folder is listed with the attributes of what is in it, and every name is looked up. */
    public static void walk(LayerIndex index, FuseOptions options) {
        Answers answers = new Answers(index, options);
        ByteBuffer answer = ByteBuffer.allocateDirect(ROOM).order(ByteOrder.nativeOrder());
        for (int folder = 1; folder <= index.inodes(); folder++) {
            if (!index.isFolder(folder)) {
                continue;
            }
            ByteBuffer list = body(READ_IN).putInt(16, ROOM);
            answer(answers, Protocol.READDIRPLUS, folder, list, answer);
            for (int place = 0; place < index.count(folder); place++) {
                byte[] name = index.name(folder, place);
                answer(answers, Protocol.LOOKUP, folder, body(name.length + 1).put(0, name), answer);
            }
        }
    }

    private static ByteBuffer body(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
    }

    private static void answer(Answers answers, int opcode, int node, ByteBuffer body, ByteBuffer answer) {
        int length = Protocol.IN_HEADER + body.capacity();
        ByteBuffer request = ByteBuffer.allocateDirect(length)
                .order(ByteOrder.nativeOrder())
                .putInt(0, length)
                .putInt(4, opcode)
                .putLong(16, node)
                .put(Protocol.IN_HEADER, body, 0, body.capacity());
        int result = answers.answer(Request.parse(request, length).orElseThrow(), answer.clear());
        if (result < 0) {
            throw new IllegalStateException(
                    "request %d about inode %d is answered with error %d".formatted(opcode, node, -result));
        }
    }
}
