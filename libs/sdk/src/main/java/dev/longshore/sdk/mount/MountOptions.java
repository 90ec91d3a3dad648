package dev.longshore.sdk.mount;

import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.linux.DetachedMount;
import dev.longshore.sdk.linux.MountCalls;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Options of a mount, taken apart.
 *
 * @param flags MS_... without propagation
 * @param propagation MS_SHARED and the like, with MS_REC; 0 for none
 * @param data what is for the file system, in order
 * @param uidMap {@code container:host:length[,...]}; empty for none
 * @param gidMap the same for groups
 */
record MountOptions(long flags, long propagation, List<String> data, String uidMap, String gidMap) {

    private static final Map<String, Long> SET = Map.ofEntries(
            Map.entry("bind", MountCalls.MS_BIND),
            Map.entry("rbind", MountCalls.MS_BIND | MountCalls.MS_REC),
            Map.entry("dirsync", MountCalls.MS_DIRSYNC),
            Map.entry("mand", MountCalls.MS_MANDLOCK),
            Map.entry("noatime", MountCalls.MS_NOATIME),
            Map.entry("nodev", MountCalls.MS_NODEV),
            Map.entry("nodiratime", MountCalls.MS_NODIRATIME),
            Map.entry("noexec", MountCalls.MS_NOEXEC),
            Map.entry("nosuid", MountCalls.MS_NOSUID),
            Map.entry("relatime", MountCalls.MS_RELATIME),
            Map.entry("remount", MountCalls.MS_REMOUNT),
            Map.entry("ro", MountCalls.MS_RDONLY),
            Map.entry("strictatime", MountCalls.MS_STRICTATIME),
            Map.entry("sync", MountCalls.MS_SYNCHRONOUS));

    private static final Map<String, Long> CLEAR = Map.ofEntries(
            Map.entry("async", MountCalls.MS_SYNCHRONOUS),
            Map.entry("atime", MountCalls.MS_NOATIME),
            Map.entry("dev", MountCalls.MS_NODEV),
            Map.entry("diratime", MountCalls.MS_NODIRATIME),
            Map.entry("exec", MountCalls.MS_NOEXEC),
            Map.entry("nomand", MountCalls.MS_MANDLOCK),
            Map.entry("norelatime", MountCalls.MS_RELATIME),
            Map.entry("nostrictatime", MountCalls.MS_STRICTATIME),
            Map.entry("rw", MountCalls.MS_RDONLY),
            Map.entry("suid", MountCalls.MS_NOSUID));

    private static final Map<String, Long> PROPAGATION = Map.of(
            "private",
            MountCalls.MS_PRIVATE,
            "rprivate",
            MountCalls.MS_PRIVATE | MountCalls.MS_REC,
            "shared",
            MountCalls.MS_SHARED,
            "rshared",
            MountCalls.MS_SHARED | MountCalls.MS_REC,
            "slave",
            MountCalls.MS_SLAVE,
            "rslave",
            MountCalls.MS_SLAVE | MountCalls.MS_REC,
            "unbindable",
            MountCalls.MS_UNBINDABLE,
            "runbindable",
            MountCalls.MS_UNBINDABLE | MountCalls.MS_REC);

    MountOptions {
        data = List.copyOf(data);
    }

    /** @throws UnimplementedException for options that are not the kernel's */
    static MountOptions parse(Mount mount) {
        // Such a type without its option would be looked for among the file systems.
        long flags = SET.getOrDefault(mount.type(), 0L) & (MountCalls.MS_BIND | MountCalls.MS_REC);
        long propagation = 0;
        List<String> data = new ArrayList<>();
        String uidMap = "";
        String gidMap = "";
        for (String option : mount.options()) {
            if (SET.containsKey(option)) {
                flags |= SET.get(option);
            } else if (CLEAR.containsKey(option)) {
                flags &= ~CLEAR.get(option);
            } else if (PROPAGATION.containsKey(option)) {
                propagation |= PROPAGATION.get(option);
            } else if (option.startsWith("uidmap=")) {
                uidMap = option.substring("uidmap=".length());
            } else if (option.startsWith("gidmap=")) {
                gidMap = option.substring("gidmap=".length());
            } else if (option.equals("loop")) {
                throw new UnimplementedException(
                        "mount option loop: loop devices are not set up here; mount the image's device");
            } else if (option.startsWith("X-containerd.")) {
                throw new UnimplementedException(
                        "mount option %s is for a mount manager, which is not here".formatted(option));
            } else if (!option.isEmpty() && !option.equals("defaults")) {
                data.add(option);
            }
        }
        return new MountOptions(flags, propagation, data, uidMap, gidMap);
    }

    boolean has(long flag) {
        return (flags & flag) == flag;
    }

    /** As containerd: only both maps together count. */
    boolean mapsIds() {
        return !uidMap.isEmpty() && !gidMap.isEmpty();
    }

    MountOptions withData(List<String> changed) {
        return new MountOptions(flags, propagation, changed, uidMap, gidMap);
    }

    /** What of the flags is a matter of the mount and not of the file system, for fsmount(2). */
    long attributes() {
        return attribute(MountCalls.MS_RDONLY, DetachedMount.MOUNT_ATTR_RDONLY)
                | attribute(MountCalls.MS_NOSUID, DetachedMount.MOUNT_ATTR_NOSUID)
                | attribute(MountCalls.MS_NODEV, DetachedMount.MOUNT_ATTR_NODEV)
                | attribute(MountCalls.MS_NOEXEC, DetachedMount.MOUNT_ATTR_NOEXEC)
                | attribute(MountCalls.MS_NOATIME, DetachedMount.MOUNT_ATTR_NOATIME)
                | attribute(MountCalls.MS_NODIRATIME, DetachedMount.MOUNT_ATTR_NODIRATIME)
                | (has(MountCalls.MS_NOATIME)
                        ? 0
                        : attribute(MountCalls.MS_STRICTATIME, DetachedMount.MOUNT_ATTR_STRICTATIME));
    }

    private long attribute(long flag, long attribute) {
        return has(flag) ? attribute : 0;
    }
}
