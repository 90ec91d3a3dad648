package dev.longshore.stargz.erofs;

import dev.longshore.sdk.linux.FileCalls;
import dev.longshore.sdk.linux.MountCalls;
import dev.longshore.stargz.index.IndexBuilder;
import dev.longshore.stargz.index.IndexLimits;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Mounts images from their files, without a loop device: the kernel can from 6.12, if it was built so. Needs CAP_SYS_ADMIN.
 */
public final class ErofsMount {

    private ErofsMount() {}

    /**
     * Mounts an image, read-only.
     *
     * @throws dev.longshore.sdk.linux.ErrnoException as mount(2) says
     */
    public static void mount(Path image, Path target) throws IOException {
        MountCalls.mount(image.toString(), target, "erofs", MountCalls.MS_RDONLY | MountCalls.MS_NOATIME, "");
    }

    /** Whether the file system on a folder is EROFS. */
    public static boolean isOn(Path folder) throws IOException {
        return FileCalls.fileSystemType(folder) == Integer.toUnsignedLong(ErofsFormat.MAGIC);
    }

    /**
     * Tries it with an empty image in a folder for them, below an overlay as it will be used.
     *
     * @return why it cannot be done here; empty if it can
     */
    public static Optional<String> probe(Path folder) throws IOException {
        Path place = Files.createTempDirectory(folder, "erofs-probe");
        Path indexFile = place.resolve("index");
        Path image = place.resolve("image");
        Path target = Files.createDirectory(place.resolve("mount"));
        Path merged = Files.createDirectory(place.resolve("merged"));
        Path upper = Files.createDirectory(place.resolve("upper"));
        try {
            new IndexBuilder(0, IndexLimits.DEFAULT).finish(indexFile);
            try (LayerIndex index = LayerIndex.open(indexFile)) {
                new ErofsImage(index, List.of()).write(image, ErofsMount::noData);
            }
            return tryMounts(image, target, merged, upper);
        } finally {
            for (Path path : List.of(indexFile, image, target, merged, upper, place)) {
                Files.deleteIfExists(path);
            }
        }
    }

    private static void noData(int inode, long offset, ByteBuffer to) throws IOException {
        throw new IOException("an empty layer has no files");
    }

    private static Optional<String> tryMounts(Path image, Path target, Path merged, Path upper) throws IOException {
        try {
            mount(image, target);
        } catch (IOException e) {
            return Optional.of(e.toString());
        }
        try {
            MountCalls.mount(
                    "overlay", merged, "overlay", MountCalls.MS_RDONLY, "lowerdir=%s:%s".formatted(upper, target));
            MountCalls.unmount(merged, MountCalls.MNT_DETACH);
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(e.toString());
        } finally {
            MountCalls.unmount(target, MountCalls.MNT_DETACH);
        }
    }
}
