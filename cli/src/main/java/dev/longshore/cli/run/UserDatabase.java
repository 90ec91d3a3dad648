package dev.longshore.cli.run;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.PathHandle;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/**
 * The users and groups of an image: its {@code /etc/passwd} and {@code /etc/group}, which strangers wrote.
 *
 * @see <a href="https://github.com/opencontainers/image-spec/blob/main/config.md">the user of an image's configuration</a>
 */
final class UserDatabase {

    /** Bytes of a file that are read: a longer one is refused, not read (CVE-2026-47262). */
    static final int MAX_FILE = 1 << 20;

    private static final long MAX_ID = Integer.MAX_VALUE;

    private final List<String[]> users;
    private final List<String[]> groups;

    /** @param passwd {@code name:password:uid:gid:...} in lines */
    UserDatabase(String passwd, String group) {
        this.users = entries(passwd, 4);
        this.groups = entries(group, 4);
    }

    /** Reads the files below {@code root}; no symbolic link in it leads out of it. A file that is not there is empty. */
    static UserDatabase in(Path root) throws IOException {
        return new UserDatabase(read(root, "/etc/passwd"), read(root, "/etc/group"));
    }

    private static String read(Path root, String path) throws IOException {
        try (PathHandle handle = PathHandle.inRoot(root, path)) {
            // Not a device or a fifo, which opening could block on.
            if (!Files.isRegularFile(handle.path())) {
                return "";
            }
            try (InputStream in = Files.newInputStream(handle.path())) {
                byte[] bytes = in.readNBytes(MAX_FILE + 1);
                if (bytes.length > MAX_FILE) {
                    throw new InvalidArgumentException(
                            "%s of the image has more than %d bytes: refused".formatted(path, MAX_FILE));
                }
                return new String(bytes, StandardCharsets.UTF_8);
            }
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR || e.errno() == Errno.ELOOP) {
                return "";
            }
            throw e;
        }
    }

    private static List<String[]> entries(String file, int fields) {
        return file.lines()
                .map(line -> line.split(":", -1))
                .filter(entry -> entry.length >= fields && isNumber(entry[2]))
                .toList();
    }

    /**
     * @param text {@code user}, {@code user:group}, by name or number; empty for root
     * @throws InvalidArgumentException if a name is not in the image, or a number is no id
     */
    ContainerUser resolve(String text) {
        int colon = text.indexOf(':');
        String user = colon < 0 ? text : text.substring(0, colon);
        String group = colon < 0 ? "" : text.substring(colon + 1);
        if (user.isEmpty()) {
            user = "0";
        }
        Optional<String[]> entry = user(user);
        // A number is never looked up as a name: an image could map one that is too large to root (CVE-2026-46680).
        String name = user;
        if (!isNumber(user) && entry.isEmpty()) {
            throw new InvalidArgumentException(
                    "the image has no user \"%s\": give a number, or a name of its /etc/passwd".formatted(name));
        }
        long uid = id(entry.map(found -> found[2]).orElse(user));
        if (!group.isEmpty()) {
            long gid = group(group);
            return new ContainerUser(uid, gid, List.of(gid));
        }
        long gid = entry.filter(found -> isNumber(found[3]))
                .map(found -> id(found[3]))
                .orElse(0L);
        TreeSet<Long> all = new TreeSet<>(List.of(gid));
        entry.ifPresent(found -> {
            for (String[] member : groups) {
                if (List.of(member[3].split(",", -1)).contains(found[0])) {
                    all.add(id(member[2]));
                }
            }
        });
        return new ContainerUser(uid, gid, List.copyOf(all));
    }

    private Optional<String[]> user(String user) {
        int field = isNumber(user) ? 2 : 0;
        return users.stream().filter(entry -> entry[field].equals(user)).findFirst();
    }

    private long group(String group) {
        if (isNumber(group)) {
            return id(group);
        }
        return groups.stream()
                .filter(entry -> entry[0].equals(group))
                .map(entry -> id(entry[2]))
                .findFirst()
                .orElseThrow(() -> new InvalidArgumentException(
                        "the image has no group \"%s\": give a number, or a name of its /etc/group".formatted(group)));
    }

    private static boolean isNumber(String text) {
        return !text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    /** Ids beyond 31 bits would wrap, to root among others (CVE-2024-40635). */
    private static long id(String text) {
        if (text.length() > 10 || Long.parseLong(text) > MAX_ID) {
            throw new InvalidArgumentException(
                    "%s is not a user or group id: the largest is %d".formatted(text, MAX_ID));
        }
        return Long.parseLong(text);
    }
}
