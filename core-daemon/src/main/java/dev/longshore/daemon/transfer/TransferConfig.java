package dev.longshore.daemon.transfer;

import java.nio.file.Path;
import java.util.List;

/**
 * Limits and defaults of transfers; containerd's keys, in {@code io.containerd.transfer.v1.local}.
 *
 * @param maxConcurrentDownloads blobs at a time, of one transfer
 * @param layerFetchBuffer bytes of the pieces in which layers that are larger are fetched, {@code maxConcurrentDownloads} at a time; 0 for
 *     layers in one
 * @param maxConcurrentUploads layers at a time, of one transfer
 * @param maxConcurrentUnpacks images that are unpacked at a time, in the whole daemon
 * @param configPath folders with what is said about registries
 * @param unpackSnapshotter where a client has images unpacked that names no snapshotter
 */
public record TransferConfig(
        int maxConcurrentDownloads,
        int layerFetchBuffer,
        int maxConcurrentUploads,
        int maxConcurrentUnpacks,
        List<Path> configPath,
        String unpackSnapshotter) {

    public static final TransferConfig DEFAULT = new TransferConfig(
            3, 0, 3, 4, List.of(Path.of("/etc/containerd/certs.d"), Path.of("/etc/docker/certs.d")), "overlayfs");

    public TransferConfig {
        configPath = List.copyOf(configPath);
    }
}
