package dev.longshore.sdk.mount;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.linux.DetachedMount;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.MountCalls;
import dev.longshore.sdk.linux.PathHandle;
import dev.longshore.sdk.linux.UserNamespace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes mounts as snapshotters describe them, and unmakes them. Needs CAP_SYS_ADMIN. Every method throws an {@link
 * ErrnoException} for what the kernel refuses. Behaves as containerd's {@code core/mount}, without its mount manager,
 * loop devices and helper programs.
 */
public final class Mounts {

    private static final Logger log = LoggerFactory.getLogger(Mounts.class);

    /** Mounts stacked on one place that unmounting gives up after. */
    private static final int MAX_STACKED = 1000;

    private Mounts() {}

    /** What is done while something is mounted at {@code root}. */
    @FunctionalInterface
    public interface Action<T> {
        T apply(Path root) throws IOException;
    }

    /**
     * Makes the mounts in order; if one fails, those before it are undone.
     *
     * @param target where; a mount's own target is looked up below it, and no symbolic link leads out of it
     * @throws UnimplementedException if a type or option is not one for mount(2)
     * @throws InvalidArgumentException if options contradict each other
     */
    public static void mountAll(List<Mount> mounts, Path target) throws IOException {
        List<Mount> made = new ArrayList<>();
        try {
            for (Mount mount : mounts) {
                mount(mount, target);
                made.add(mount);
            }
        } catch (IOException | RuntimeException e) {
            for (Mount mount : made.reversed()) {
                try {
                    unmountOnce(mount, target);
                } catch (IOException suppressed) {
                    e.addSuppressed(suppressed);
                }
            }
            throw e;
        }
    }

    /**
     * The folders in the value of an overlay's {@code lowerdir}, the topmost first, without the escapes of colons.
     *
     * @param value what is behind the equals sign
     */
    public static List<String> lowerFolders(String value) {
        return OverlayMount.split(value);
    }

    private static void mount(Mount mount, Path target) throws IOException {
        check(mount);
        MountOptions options = MountOptions.parse(mount);
        if (mount.target().isEmpty()) {
            create(mount, options, target);
            finish(options, target);
            return;
        }
        try (PathHandle place = PathHandle.inRoot(target, mount.target())) {
            create(mount, options, place.path());
        }
        // Once more, to get to the mount that has just been made.
        try (PathHandle place = PathHandle.inRoot(target, mount.target())) {
            finish(options, place.path());
        }
    }

    private static void check(Mount mount) {
        String type = mount.type();
        if (type.indexOf('/') >= 0) {
            throw new UnimplementedException(
                    "mount type \"%s\" is for a mount manager, which is not here: the snapshotter must answer mounts that mount(2) knows"
                            .formatted(type));
        }
        if (type.startsWith("fuse.") || type.startsWith("fuse3.")) {
            throw new UnimplementedException("mount type \"%s\" needs the program mount.%s, which is not run here"
                    .formatted(type, type.substring(0, type.indexOf('.'))));
        }
        if (type.equals("loop")) {
            throw new UnimplementedException("mount type \"loop\": loop devices are not set up here");
        }
    }

    private static void create(Mount mount, MountOptions options, Path target) throws IOException {
        if (mount.type().equals("overlay")) {
            OverlayMount.mount(mount.source(), target, options);
            return;
        }
        if (options.mapsIds()) {
            mapIds(mount, options, target);
            return;
        }
        try {
            MountCalls.mount(mount.source(), target, mount.type(), options.flags(), String.join(",", options.data()));
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENODEV) {
                throw new UnimplementedException(
                        "mount type \"%s\" is not known to this kernel: load its module, or have the snapshotter answer another"
                                .formatted(mount.type()),
                        e);
            }
            throw e;
        }
    }

    private static void mapIds(Mount mount, MountOptions options, Path target) throws IOException {
        if (!options.has(MountCalls.MS_BIND)) {
            throw new UnimplementedException(
                    "mount of type %s with uidmap and gidmap: only bind and overlay mounts can be mapped"
                            .formatted(mount.type()));
        }
        try (UserNamespace namespace = IdMap.namespace(options);
                DetachedMount mapped = DetachedMount.copyOf(Path.of(mount.source()), options.has(MountCalls.MS_REC))) {
            mapped.mapIds(namespace, 0);
            mapped.attach(target);
        }
    }

    private static void finish(MountOptions options, Path target) throws IOException {
        if (options.propagation() != 0) {
            MountCalls.mount("", target, "", options.propagation(), "");
        }
        if (options.has(MountCalls.MS_BIND) && (options.flags() & ~(MountCalls.MS_BIND | MountCalls.MS_REC)) != 0) {
            // The kernel takes no other flags when it makes a bind mount.
            long flags = options.flags() | MountCalls.MS_REMOUNT;
            try {
                MountCalls.mount("", target, "", flags, "");
            } catch (ErrnoException e) {
                if (e.errno() != Errno.EPERM) {
                    throw e;
                }
                // In a user namespace the flags of the original are locked; see mount_namespaces(7).
                MountCalls.mount("", target, "", flags | FileCalls.mountFlags(target), "");
            }
        }
    }

    /** Unmounts everything that {@code mounts} and others have mounted on their targets, in reverse order. */
    public static void unmountAll(List<Mount> mounts, Path target) throws IOException {
        for (Mount mount : mounts.reversed()) {
            untilNothingIsThere(() -> unmountOnce(mount, target));
        }
    }

    private static void unmountOnce(Mount mount, Path target) throws IOException {
        if (mount.target().isEmpty()) {
            unmount(target);
            return;
        }
        try (PathHandle place = PathHandle.inRoot(target, mount.target())) {
            // Lazily: the handle itself keeps the mount busy.
            MountCalls.unmount(place.path(), MountCalls.MNT_DETACH);
        }
    }

    /** Unmounts everything that is stacked on {@code target}; nothing or no such folder is fine. */
    public static void unmountAll(Path target) throws IOException {
        untilNothingIsThere(() -> unmount(target));
    }

    @FunctionalInterface
    private interface Unmount {
        void run() throws IOException;
    }

    private static void untilNothingIsThere(Unmount unmount) throws IOException {
        for (int i = 0; i < MAX_STACKED; i++) {
            try {
                unmount.run();
            } catch (ErrnoException e) {
                if (e.errno() == Errno.EINVAL || e.errno() == Errno.ENOENT) {
                    return;
                }
                throw e;
            }
        }
    }

    private static void unmount(Path target) throws ErrnoException {
        try {
            MountCalls.unmount(target, MountCalls.UMOUNT_NOFOLLOW);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EBUSY) {
                throw e;
            }
            // Somebody has a file open there, if only a process that is being started: it goes when they close it.
            log.atDebug().addKeyValue("path", target).log("unmounting a busy mount lazily");
            MountCalls.unmount(target, MountCalls.UMOUNT_NOFOLLOW | MountCalls.MNT_DETACH);
        }
    }

    /** {@link #withTempMount(List, Path, Action)} in the folder for temporary files. */
    public static <T> T withTempMount(List<Mount> mounts, Action<T> action) throws IOException {
        return withTempMount(mounts, Path.of(System.getProperty("java.io.tmpdir")), action);
    }

    /**
     * Makes the mounts on a new folder, does {@code action} there, and undoes it all, also if the action throws.
     *
     * @param scratch the folder to make the new folder in
     * @return what the action returned
     */
    public static <T> T withTempMount(List<Mount> mounts, Path scratch, Action<T> action) throws IOException {
        Path root = Files.createTempDirectory(scratch, "mount-");
        try {
            List<Mount> safe = withoutVolatile(mounts);
            mountAll(safe, root);
            try {
                return action.apply(root);
            } finally {
                unmountAll(safe, root);
            }
        } finally {
            // Not what is in it: if it is still mounted, that would be the snapshot.
            Files.deleteIfExists(root);
        }
    }

    /**
     * The same mounts, read-only: an overlay loses its upper folder, which becomes the topmost lower one, so that it can be
     * mounted while the original is.
     */
    public static List<Mount> readOnly(List<Mount> mounts) {
        return mounts.stream().map(Mounts::readOnly).toList();
    }

    private static Mount readOnly(Mount mount) {
        List<String> options = new ArrayList<>();
        if (!mount.type().equals("overlay")) {
            mount.options().stream()
                    .filter(option -> !option.equals("rw") && !option.equals("ro"))
                    .forEach(options::add);
            options.add("ro");
            return new Mount(mount.type(), mount.source(), mount.target(), options);
        }
        String upper = "";
        for (String option : mount.options()) {
            if (option.startsWith("upperdir=")) {
                upper = option.substring("upperdir=".length()) + ":";
            }
        }
        for (String option : mount.options()) {
            if (option.startsWith("lowerdir=")) {
                options.add("lowerdir=" + upper + option.substring("lowerdir=".length()));
            } else if (!option.startsWith("upperdir=")
                    && !option.startsWith("workdir=")
                    && !option.startsWith("uidmap=")
                    && !option.startsWith("gidmap=")) {
                options.add(option);
            }
        }
        return new Mount(mount.type(), mount.source(), mount.target(), options);
    }

    /** Overlayfs does not mount a volatile upper folder a second time. */
    private static List<Mount> withoutVolatile(List<Mount> mounts) {
        return mounts.stream()
                .map(mount -> !mount.type().equals("overlay")
                        ? mount
                        : new Mount(
                                mount.type(),
                                mount.source(),
                                mount.target(),
                                mount.options().stream()
                                        .filter(option ->
                                                !option.equals("volatile") && !option.equals("fsync=volatile"))
                                        .toList()))
                .toList();
    }
}
