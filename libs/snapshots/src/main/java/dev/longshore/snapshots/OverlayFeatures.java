package dev.longshore.snapshots;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the kernel's overlayfs can do and needs, for the file system that a root is on. */
public final class OverlayFeatures {

    private static final Logger log = LoggerFactory.getLogger(OverlayFeatures.class);

    private static final Path INDEX = Path.of("/sys/module/overlay/parameters/index");
    private static final Path UID_MAP = Path.of("/proc/self/uid_map");
    private static final Pattern RELEASE = Pattern.compile("(\\d+)\\.(\\d+)");

    private OverlayFeatures() {}

    /**
     * Refuses file systems that overlayfs cannot have an upper folder on.
     *
     * @param root a folder with something in it
     */
    static void check(Path root) throws IOException {
        if (FileCalls.fileSystemType(root) == FileCalls.OVERLAYFS_MAGIC) {
            throw new FailedPreconditionException(
                    "%s is on an overlayfs, which cannot be stacked: use a folder on another file system (in a container: a volume)"
                            .formatted(root));
        }
        try (Folder folder = Folder.open(root)) {
            if (folder.entries().stream().anyMatch(entry -> entry.type() == 0)) {
                throw new FailedPreconditionException(
                        "the file system of %s has no d_type, which overlayfs needs: XFS has it when made with ftype=1"
                                .formatted(root));
            }
        }
    }

    /** The options of each overlay mount: those configured, and those that this machine needs. */
    public static List<String> mountOptions(List<String> configured, Path root) throws IOException {
        List<String> options = new ArrayList<>(configured);
        if (!has(configured, "userxattr") && needsUserXattr(root)) {
            options.add("userxattr");
        }
        // An index stops a lower folder from being used by two overlays.
        if (!has(configured, "index") && Files.exists(INDEX)) {
            options.add("index=off");
        }
        return List.copyOf(options);
    }

    private static boolean has(List<String> options, String name) {
        return options.stream().anyMatch(option -> option.equals(name) || option.startsWith(name + "="));
    }

    /** In a user namespace overlayfs keeps its attributes as {@code user.overlay.*}, from Linux 5.11 on. */
    private static boolean needsUserXattr(Path root) throws IOException {
        if (!inUserNamespace() || FileCalls.fileSystemType(root) == FileCalls.TMPFS_MAGIC) {
            return false;
        }
        Path probe = Files.createTempDirectory(root, "userxattr-probe-");
        try {
            for (String name : List.of("lower", "upper", "work")) {
                Files.createDirectory(probe.resolve(name));
            }
            Mount overlay = new Mount(
                    "overlay",
                    "overlay",
                    List.of(
                            "userxattr",
                            "lowerdir=" + probe.resolve("lower"),
                            "upperdir=" + probe.resolve("upper"),
                            "workdir=" + probe.resolve("work")));
            return Mounts.withTempMount(List.of(overlay), probe, merged -> true);
        } catch (IOException e) {
            log.atInfo().setCause(e).log("overlayfs has no option userxattr here");
            return false;
        } finally {
            Trees.remove(probe);
        }
    }

    static boolean inUserNamespace() throws IOException {
        String[] fields = Files.readString(UID_MAP).strip().split("\\s+", 4);
        return !(fields.length == 3
                && fields[0].equals("0")
                && fields[1].equals("0")
                && fields[2].equals("4294967295"));
    }

    /** Whether overlayfs takes lower folders whose owners are mapped: from Linux 5.19 on. */
    public static boolean mapsIds(String release) {
        Matcher matcher = RELEASE.matcher(release);
        if (!matcher.lookingAt()) {
            return false;
        }
        int major = Integer.parseInt(matcher.group(1));
        return major > 5 || (major == 5 && Integer.parseInt(matcher.group(2)) >= 19);
    }
}
