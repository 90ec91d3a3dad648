package dev.longshore.daemon.content;

import dev.longshore.sdk.content.ContentReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Reads a blob's file. It stays readable when the blob is deleted meanwhile. */
final class FileReader implements ContentReader {

    private final FileChannel channel;

    FileReader(FileChannel channel) {
        this.channel = channel;
    }

    @Override
    public long size() {
        try {
            return channel.size();
        } catch (IOException e) {
            throw new UncheckedIOException("reading content", e);
        }
    }

    @Override
    public int read(ByteBuffer buffer, long offset) {
        try {
            return channel.read(buffer, offset);
        } catch (IOException e) {
            throw new UncheckedIOException("reading content", e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException("closing content", e);
        }
    }
}
