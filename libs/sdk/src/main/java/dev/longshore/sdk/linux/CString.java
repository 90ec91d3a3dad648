package dev.longshore.sdk.linux;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/** Text as C wants it: UTF-8, ended by a zero byte. */
final class CString {

    private CString() {}

    static byte[] of(String text) {
        return of(text.getBytes(StandardCharsets.UTF_8));
    }

    static byte[] of(Path path) {
        return of(path.toString());
    }

    /** The name in {@code folder}, for calls that take no folder. */
    static byte[] in(Folder folder, byte[] name) {
        byte[] prefix = ("/proc/self/fd/" + folder.fd() + "/").getBytes(StandardCharsets.US_ASCII);
        byte[] path = Arrays.copyOf(prefix, prefix.length + name.length);
        System.arraycopy(name, 0, path, prefix.length, name.length);
        return of(path);
    }

    /** @throws IllegalArgumentException if {@code text} has a zero byte, where C would see its end */
    static byte[] of(byte[] text) {
        for (byte b : text) {
            if (b == 0) {
                throw new IllegalArgumentException(
                        "zero byte in " + new String(text, StandardCharsets.UTF_8).replace('\0', '?'));
            }
        }
        return Arrays.copyOf(text, text.length + 1);
    }
}
