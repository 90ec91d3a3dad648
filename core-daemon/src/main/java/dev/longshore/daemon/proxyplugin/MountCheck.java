package dev.longshore.daemon.proxyplugin;

import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.mount.Mount;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Checks the mounts that a snapshotter answers before anybody makes them, as root:
 *
 * <ol>
 *   <li>there are not more of them than any image has layers, and none has a control character in it;
 *   <li>where the configuration says in {@code exports.root} what folder is the plugin's, all that is mounted is below it.
 * </ol>
 *
 * Types are not checked here: who makes a mount knows which it can make, and that may be a shim or a client that can do more than
 * this daemon.
 */
final class MountCheck {

    /** More than images have layers. */
    private static final int MOST = 1024;

    private static final List<String> FOLDERS =
            List.of("upperdir=", "workdir=", "lowerdir=", "lowerdir+=", "datadir+=");

    private final ProxyPluginConfig config;
    private final Optional<Path> root;

    MountCheck(ProxyPluginConfig config) {
        this.config = config;
        this.root = Optional.ofNullable(config.exports().get("root"))
                .filter(text -> text.startsWith("/"))
                .map(text -> Path.of(text).normalize());
    }

    /** @throws InternalException naming the plugin and the mount, if one is not to be made */
    List<Mount> check(List<Mount> mounts) {
        if (mounts.size() > MOST) {
            throw new InternalException(config.describe(
                    "answered %d mounts, more than the %d that are taken".formatted(mounts.size(), MOST)));
        }
        mounts.forEach(this::check);
        return mounts;
    }

    private void check(Mount mount) {
        requirePlain(mount.type());
        requirePlain(mount.source());
        requirePlain(mount.target());
        mount.options().forEach(this::requirePlain);
        root.ifPresent(folder -> {
            // Of other file systems without a device, the source is a word of their own.
            if (mount.source().startsWith("/") || mount.type().equals("bind")) {
                requireBelow(folder, mount.source());
            }
            for (String option : mount.options()) {
                FOLDERS.stream().filter(option::startsWith).forEach(key -> {
                    for (String path : option.substring(key.length()).split("(?<!\\\\):+", -1)) {
                        requireBelow(folder, path.replace("\\:", ":"));
                    }
                });
            }
        });
    }

    private void requirePlain(String text) {
        if (text.chars().anyMatch(c -> c < 0x20 || c == 0x7f)) {
            throw new InternalException(config.describe("answered a mount with a control character in \"%s\""
                    .formatted(text.replaceAll("\\p{Cntrl}", "?"))));
        }
    }

    private void requireBelow(Path folder, String path) {
        // What a mount manager fills in is none yet.
        if (path.startsWith("{{")) {
            return;
        }
        try {
            if (Path.of(path).normalize().startsWith(folder)) {
                return;
            }
        } catch (InvalidPathException e) {
            // Told below.
        }
        throw new InternalException(config.describe(
                "answered a mount of \"%s\", which is not below %s, its exports.root: correct that, or do not trust it"
                        .formatted(path, folder)));
    }
}
