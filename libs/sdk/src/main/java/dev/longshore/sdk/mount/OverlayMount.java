package dev.longshore.sdk.mount;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.DetachedMount;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileSystemContext;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.linux.MountCalls;
import dev.longshore.sdk.linux.UserNamespace;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Makes overlay mounts, which have two troubles of their own: more lower folders than the one page of options that
 * mount(2) takes, and owners that must be mapped in each lower folder.
 */
final class OverlayMount {

    /** Bytes of options that mount(2) takes, without the closing zero, on a machine with the smallest pages. */
    private static final int MAX_DATA = 4095;

    private static final String LOWERDIR = "lowerdir=";

    private OverlayMount() {}

    static void mount(String source, Path target, MountOptions options) throws IOException {
        if (!options.mapsIds()) {
            mountUnmapped(source, target, options);
            return;
        }
        Path temporary = Files.createTempDirectory("overlay-idmapped");
        try {
            Path common = commonFolder(lowerFolders(options));
            try (UserNamespace namespace = IdMap.namespace(options);
                    DetachedMount mapped = DetachedMount.copyOf(common, true)) {
                mapped.mapIds(namespace, DetachedMount.MOUNT_ATTR_RDONLY);
                mapped.attach(temporary);
            }
            try {
                mountUnmapped(source, target, moved(options, common, temporary));
            } finally {
                // The overlay holds its own copy of each lower mount.
                MountCalls.unmount(temporary, MountCalls.MNT_DETACH | MountCalls.UMOUNT_NOFOLLOW);
            }
        } finally {
            Files.delete(temporary);
        }
    }

    private static void mountUnmapped(String source, Path target, MountOptions options) throws IOException {
        String data = String.join(",", options.data());
        if (data.getBytes(StandardCharsets.UTF_8).length <= MAX_DATA) {
            MountCalls.mount(source, target, "overlay", options.flags(), data);
        } else if (!mountOneByOne(source, target, options)) {
            mountCompact(source, target, options);
        }
    }

    /** @return false if the kernel does not know the option {@code lowerdir+}, which came with Linux 6.8 */
    private static boolean mountOneByOne(String source, Path target, MountOptions options) throws IOException {
        if (options.data().stream().flatMap(OverlayMount::values).anyMatch(OverlayMount::tooLong)) {
            return false;
        }
        try (FileSystemContext context = FileSystemContext.open("overlay")) {
            context.option("source", source);
            for (String lower : lowerFolders(options)) {
                try {
                    context.option("lowerdir+", lower);
                } catch (ErrnoException e) {
                    if (e.errno() == Errno.EINVAL) {
                        return false;
                    }
                    throw e;
                }
            }
            for (String option : options.data()) {
                int equals = option.indexOf('=');
                if (equals < 0) {
                    context.flag(option);
                } else if (!option.startsWith(LOWERDIR)) {
                    context.option(option.substring(0, equals), option.substring(equals + 1));
                }
            }
            if (options.has(MountCalls.MS_RDONLY)) {
                context.flag("ro");
            }
            if (options.has(MountCalls.MS_SYNCHRONOUS)) {
                context.flag("sync");
            }
            if (options.has(MountCalls.MS_DIRSYNC)) {
                context.flag("dirsync");
            }
            try (DetachedMount mount = context.mount(options.attributes())) {
                mount.attach(target);
            }
            return true;
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOSYS) {
                return false;
            }
            throw e;
        }
    }

    private static Stream<String> values(String option) {
        return option.startsWith(LOWERDIR)
                ? split(option.substring(LOWERDIR.length())).stream()
                : Stream.of(option.substring(option.indexOf('=') + 1));
    }

    private static boolean tooLong(String value) {
        return value.getBytes(StandardCharsets.UTF_8).length >= FileSystemContext.MAX_VALUE_SIZE;
    }

    /** Names the folder that all lower folders are in by a descriptor, so that it takes few bytes. */
    private static void mountCompact(String source, Path target, MountOptions options) throws IOException {
        Path common = commonFolder(lowerFolders(options));
        try (Folder folder = Folder.open(common)) {
            Path shorter = Path.of("/proc/self/fd", Integer.toString(folder.fd()));
            String data = String.join(",", moved(options, common, shorter).data());
            int length = data.getBytes(StandardCharsets.UTF_8).length;
            if (length > MAX_DATA) {
                throw new InvalidArgumentException(
                        "overlay mount on %s has %d lower folders, whose names take %d bytes, more than the %d that this kernel allows: Linux 6.8 has no such limit"
                                .formatted(target, lowerFolders(options).size(), length, MAX_DATA));
            }
            MountCalls.mount(source, target, "overlay", options.flags(), data);
        }
    }

    /** The same options with the lower folders below {@code to} instead of {@code from}. */
    private static MountOptions moved(MountOptions options, Path from, Path to) {
        return options.withData(options.data().stream()
                .map(option -> option.startsWith(LOWERDIR)
                        ? LOWERDIR
                                + String.join(
                                        ":",
                                        lowerFolders(options).stream()
                                                .map(lower -> escape(to.resolve(from.relativize(Path.of(lower)))
                                                        .toString()))
                                                .toList())
                        : option)
                .toList());
    }

    private static List<String> lowerFolders(MountOptions options) {
        return options.data().stream()
                .filter(option -> option.startsWith(LOWERDIR))
                .findFirst()
                .map(option -> split(option.substring(LOWERDIR.length())))
                .orElseThrow(() -> new InvalidArgumentException("overlay mount has no option lowerdir"));
    }

    /** Splits at colons, but not at {@code \:}, and takes the escapes away. */
    static List<String> split(String folders) {
        List<String> result = new ArrayList<>();
        StringBuilder folder = new StringBuilder();
        for (int i = 0; i < folders.length(); i++) {
            char c = folders.charAt(i);
            if (c == '\\' && i + 1 < folders.length()) {
                folder.append(folders.charAt(++i));
            } else if (c == ':') {
                result.add(folder.toString());
                folder.setLength(0);
            } else {
                folder.append(c);
            }
        }
        result.add(folder.toString());
        return result;
    }

    private static String escape(String folder) {
        return folder.replace("\\", "\\\\").replace(":", "\\:");
    }

    private static Path commonFolder(List<String> folders) {
        Path common = parent(folders.getFirst());
        for (String folder : folders) {
            while (!Path.of(folder).startsWith(common)) {
                common = parent(common.toString());
            }
        }
        return common;
    }

    private static Path parent(String folder) {
        Path parent = Path.of(folder).getParent();
        if (parent == null) {
            throw new InvalidArgumentException(
                    "lower folder \"%s\" is not an absolute path in a folder".formatted(folder));
        }
        return parent;
    }
}
