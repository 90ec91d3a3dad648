package dev.longshore.cli;

import dev.longshore.cli.image.ImageRewriter.Choice;
import dev.longshore.cli.image.ImageStore;
import dev.longshore.cli.image.LayerConversion.Target;
import dev.longshore.cli.text.Amounts;
import dev.longshore.estargz.LayerFormat;
import dev.longshore.estargz.LayerOptions;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.List;
import picocli.CommandLine.Option;

/** The options that say what a lazily pulled image is like. */
final class LazyFormat {

    /** Half the time of level 9, and a hundredth more bytes. */
    private static final int GZIP_LEVEL = 6;

    private static final int MAX_GZIP_LEVEL = 9;
    private static final int ZSTD_LEVEL = 3;
    private static final int MAX_ZSTD_LEVEL = 19;

    @Option(names = "--estargz", description = "with gzip, readable by everything (default)")
    private boolean estargz;

    @Option(names = "--zstd-chunked", description = "with zstd")
    private boolean zstdChunked;

    @Option(
            names = "--platform",
            paramLabel = "OS/ARCH",
            description =
                    "only this platform (default: this machine's); the others stay as they are; may be given more than once")
    private List<String> platforms = List.of("linux/" + ImageStore.architecture());

    @Option(
            names = "--chunk-size",
            paramLabel = "SIZE",
            defaultValue = "4m",
            description = "what is fetched and verified together of a big file, e.g. 1m (default: ${DEFAULT-VALUE})")
    private String chunkSize = "4m";

    @Option(
            names = "--level",
            paramLabel = "N",
            defaultValue = "0",
            description = "of the compression: 1 to 9 for gzip (default: 6), 1 to 19 for zstd (default: 3)")
    private int level;

    Choice choice() {
        return new Choice(List.of(), platforms);
    }

    Target target() {
        if (estargz && zstdChunked) {
            throw new InvalidArgumentException("an image is made with --estargz or with --zstd-chunked, not both");
        }
        int max = zstdChunked ? MAX_ZSTD_LEVEL : MAX_GZIP_LEVEL;
        if (level < 0 || level > max) {
            throw new InvalidArgumentException("--level %d: it must be from 1 to %d".formatted(level, max));
        }
        int chosen = level > 0 ? level : zstdChunked ? ZSTD_LEVEL : GZIP_LEVEL;
        long bytes = Amounts.parseSize(chunkSize);
        if (bytes < LayerOptions.MIN_CHUNK_BYTES || bytes > LayerOptions.MAX_CHUNK_BYTES) {
            throw new InvalidArgumentException("--chunk-size %s: it must be from %s to %s"
                    .formatted(
                            chunkSize,
                            Amounts.size(LayerOptions.MIN_CHUNK_BYTES),
                            Amounts.size(LayerOptions.MAX_CHUNK_BYTES)));
        }
        return new Target(zstdChunked ? LayerFormat.ZSTD_CHUNKED : LayerFormat.ESTARGZ, (int) bytes, chosen);
    }
}
