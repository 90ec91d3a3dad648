package dev.longshore.ttrpc;

import com.google.protobuf.MessageLite;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;

/** Frames over a channel of bytes. Reading is for one thread, writing for another. */
final class FrameChannel implements AutoCloseable {

    private static final int DRAIN_BUFFER = 64 << 10;

    private final ByteChannel channel;
    private final ByteBuffer header = ByteBuffer.allocate(Frame.HEADER_SIZE);

    FrameChannel(ByteChannel channel) {
        this.channel = channel;
    }

    /** The next header. */
    Frame readHeader() throws IOException {
        header.clear();
        fill(header);
        return Frame.read(header.flip());
    }

    /** The data of a frame that is not {@linkplain Frame#tooLong too long}. */
    byte[] readData(Frame frame) throws IOException {
        byte[] data = new byte[frame.length()];
        fill(ByteBuffer.wrap(data));
        return data;
    }

    /** Reads past the data of a frame, so that the next header can be read. */
    void skipData(Frame frame) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(DRAIN_BUFFER, frame.unsignedLength()));
        for (long left = frame.unsignedLength(); left > 0; left -= buffer.limit()) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), left));
            fill(buffer);
        }
    }

    private void fill(ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new EOFException("the peer closed the connection");
            }
        }
    }

    /** Writes a whole frame. */
    void write(int stream, byte type, MessageLite message) throws IOException {
        byte[] data = message.toByteArray();
        ByteBuffer buffer = ByteBuffer.allocate(Frame.HEADER_SIZE + data.length);
        new Frame(data.length, stream, type, (byte) 0).write(buffer);
        buffer.put(data).flip();
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
