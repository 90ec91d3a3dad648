package dev.longshore.overlay;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.flag.Flags;
import dev.longshore.sdk.flag.Flags.Parsed;
import dev.longshore.sdk.flag.Flags.UsageException;
import dev.longshore.sdk.log.Logging;
import dev.longshore.snapshots.OverlayOptions;
import dev.longshore.transport.serve.ServeOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * What the command line says; the words are those of containerd's section {@code
 * [plugins."io.containerd.snapshotter.v1.overlayfs"]}.
 *
 * @param serve where and for whom
 * @param root absolute, where snapshots are kept
 * @param mountOptions of each overlay mount
 * @param upperdirLabel see {@link OverlayOptions}
 * @param syncRemove see {@link OverlayOptions#removeAtOnce}
 */
record Config(
        ServeOptions serve,
        Path root,
        List<String> mountOptions,
        boolean upperdirLabel,
        boolean syncRemove,
        String logLevel) {

    Config {
        mountOptions = List.copyOf(mountOptions);
        if (root.toString().matches(".*[:,\\\\].*")) {
            throw new InvalidArgumentException(
                    "--root %s: overlayfs' options give a meaning to ':', ',' and '\\', choose a folder without them"
                            .formatted(root));
        }
        for (String option : mountOptions) {
            if (option.matches("(lowerdir|upperdir|workdir|datadir)\\+?=.*")) {
                throw new InvalidArgumentException(
                        "--mount-options %s: the snapshotter says the folders itself".formatted(option));
            }
        }
        if (!Logging.LEVELS.contains(logLevel)) {
            throw new InvalidArgumentException("--log-level %s: must be one of %s".formatted(logLevel, Logging.LEVELS));
        }
    }

    static Flags flags() {
        return ServeOptions.flags(new Flags("longshore-snapshotter-overlay --address SOCKET --root DIR [flags]"))
                .option("root", "DIR", "where snapshots are kept")
                .option("mount-options", "A,B", "more options of each overlay mount")
                .option("upperdir-label", "", "label snapshots with the folder of their files")
                .option("sync-remove", "", "remove files with the snapshot, not at Cleanup")
                .option("log-level", "LEVEL", "trace, debug, info, warn or error; default info");
    }

    /**
     * Reads the command line.
     *
     * @throws UsageException if a flag is missing
     * @throws InvalidArgumentException if a value is not one
     */
    static Config of(Parsed flags) throws UsageException, IOException {
        if (!flags.arguments().isEmpty()) {
            throw new InvalidArgumentException(
                    "unexpected argument " + flags.arguments().getFirst());
        }
        return new Config(
                ServeOptions.of(flags),
                Path.of(flags.require("root")).toAbsolutePath().normalize(),
                Stream.of(flags.value("mount-options").orElse("").split(","))
                        .filter(option -> !option.isEmpty())
                        .toList(),
                flags.has("upperdir-label"),
                flags.has("sync-remove"),
                flags.value("log-level").orElse("info"));
    }
}
