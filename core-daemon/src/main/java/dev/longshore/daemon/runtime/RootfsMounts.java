package dev.longshore.daemon.runtime;

import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.MountCalls;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Takes away the mounts at and below a bundle's root file system, the newest first. */
final class RootfsMounts {

    private static final Path MOUNT_INFO = Path.of("/proc/self/mountinfo");

    private RootfsMounts() {}

    static void unmountAll(Path rootfs) throws IOException {
        List<Path> mounts = below(rootfs, Files.readAllLines(MOUNT_INFO, StandardCharsets.ISO_8859_1));
        for (Path mount : mounts.reversed()) {
            try {
                MountCalls.unmount(mount, MountCalls.UMOUNT_NOFOLLOW);
            } catch (ErrnoException e) {
                if (e.errno() == Errno.EBUSY) {
                    // A dying container may still hold it; detached, it goes when the last user does.
                    MountCalls.unmount(mount, MountCalls.MNT_DETACH | MountCalls.UMOUNT_NOFOLLOW);
                } else if (e.errno() != Errno.EINVAL && e.errno() != Errno.ENOENT) {
                    throw e;
                }
            }
        }
    }

    /** The mount points at and below {@code rootfs}, in the order they were made. See proc_pid_mountinfo(5). */
    static List<Path> below(Path rootfs, List<String> mountInfo) {
        List<Path> found = new ArrayList<>();
        for (String line : mountInfo) {
            String[] fields = line.split(" ", 6);
            if (fields.length == 6) {
                Path mountPoint = Path.of(unescape(fields[4]));
                if (mountPoint.startsWith(rootfs)) {
                    found.add(mountPoint);
                }
            }
        }
        return found;
    }

    /** The kernel writes blank, tab, newline and backslash as three octal digits, and other bytes as they are. */
    private static String unescape(String field) {
        byte[] bytes = field.getBytes(StandardCharsets.ISO_8859_1);
        byte[] out = new byte[bytes.length];
        int length = 0;
        for (int i = 0; i < bytes.length; i++) {
            if (bytes[i] == '\\' && i + 3 < bytes.length) {
                out[length++] = (byte) Integer.parseInt(field.substring(i + 1, i + 4), 8);
                i += 3;
            } else {
                out[length++] = bytes[i];
            }
        }
        return new String(out, 0, length, StandardCharsets.UTF_8);
    }
}
