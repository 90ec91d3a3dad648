package dev.longshore.stream.gzip;

import dev.longshore.sdk.compress.Compression;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/**
 * {@code longshore-stream-gzip}: a layer on standard input, without its compression on standard output. This is all that a stream
 * processor has to do:
 *
 * <ul>
 *   <li>read standard input to its end, and write the result to standard output;
 *   <li>end with 0 if that was all of it, and right; else with another status, and the reason on standard error.
 * </ul>
 *
 * What it was given is in {@code STREAM_PROCESSOR_MEDIATYPE}, and what a client has sent for it, if it has, on descriptor 3.
 */
public final class Main {

    private static final int COPY = 256 << 10;

    private Main() {}

    public static void main(String[] args) {
        try (InputStream in = Compression.GZIP.expand(new FileInputStream(FileDescriptor.in));
                OutputStream out = new FileOutputStream(FileDescriptor.out)) {
            byte[] buffer = new byte[COPY];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                out.write(buffer, 0, count);
            }
        } catch (IOException e) {
            System.err.println("longshore-stream-gzip: " + e.getMessage());
            System.exit(1);
        }
    }
}
