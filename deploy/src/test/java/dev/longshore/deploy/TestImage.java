package dev.longshore.deploy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Image archives that tests import, made by real tools. */
final class TestImage {

    private TestImage() {}

    /** An OCI archive of Debian's static busybox; gone when the tests are done. */
    static Path busybox(String name) {
        return busybox(name, "gzip");
    }

    /** As {@link #busybox(String)}, with the layer compressed by {@code gzip}, {@code zstd} or {@code none}. */
    static Path busybox(String name, String compression) {
        Programs.need("busybox");
        try {
            Path archive = Files.createTempFile("busybox", ".tar");
            archive.toFile().deleteOnExit();
            Programs.run(
                            List.of(
                                    "sh",
                                    Suite.distribution()
                                            .resolve("share/busybox-image.sh")
                                            .toString(),
                                    archive.toString(),
                                    name),
                            "",
                            Map.of("COMPRESSION", compression))
                    .ok();
            return archive;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The one layer of {@link #busybox(String)}, for {@code docker import}; gone when the tests are done. */
    static Path busyboxLayer() {
        Path archive = busybox("docker.io/library/layer:1", "none");
        try {
            Path layout = Files.createTempDirectory("layout");
            Path layer = Files.createTempFile("layer", ".tar");
            layer.toFile().deleteOnExit();
            Programs.run(List.of("tar", "-C", layout.toString(), "-xf", archive.toString()))
                    .ok();
            // The layer is the biggest of the three blobs: the others are a manifest and a configuration.
            Programs.run(List.of(
                            "sh",
                            "-c",
                            "mv \"$1/blobs/sha256/$(ls -S \"$1/blobs/sha256\" | head -n 1)\" \"$2\" && rm -r \"$1\"",
                            "sh",
                            layout.toString(),
                            layer.toString()))
                    .ok();
            return layer;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Packs the OCI layout {@code layout}, as {@code images import} takes it. */
    static Path pack(Path layout, Path archive) {
        Programs.run(List.of("tar", "-C", layout.toString(), "-cf", archive.toString(), "."))
                .ok();
        return archive;
    }
}
