package dev.longshore.cli.image;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Progress;
import dev.longshore.estargz.Annotations;
import dev.longshore.estargz.LayerFormat;
import dev.longshore.estargz.LayerFormatException;
import dev.longshore.estargz.LayerOptions;
import dev.longshore.estargz.LayerWriter;
import dev.longshore.estargz.WrittenLayer;
import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.compress.CompressionException;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.tar.TarFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** Layers that are read a chunk at a time, made of others. An archive is in a temporary file meanwhile, without its compression. */
public final class LayerConversion implements ImageRewriter.LayerChange {

    /** What the daemon and containerd look up a layer's digest without its compression by. */
    private static final String UNCOMPRESSED_LABEL = "containerd.io/uncompressed";

    static final Set<String> LAYERS = Set.of(
            MediaTypes.OCI_LAYER,
            MediaTypes.OCI_LAYER_GZIP,
            MediaTypes.OCI_LAYER_ZSTD,
            MediaTypes.DOCKER_LAYER,
            MediaTypes.DOCKER_LAYER_GZIP,
            MediaTypes.DOCKER_LAYER_ZSTD);

    /** What a layer has from an earlier conversion. */
    private static final Set<String> ANNOTATIONS = Set.of(
            Annotations.TOC_DIGEST,
            Annotations.UNCOMPRESSED_SIZE,
            Annotations.ZSTD_CHECKSUM,
            Annotations.ZSTD_POSITION,
            Annotations.STARGZ_ZSTD_CHECKSUM,
            Annotations.STARGZ_ZSTD_POSITION);

    /**
     * What is to be made.
     *
     * @param chunkBytes of a file in one stream
     * @param level of the compression
     */
    public record Target(LayerFormat format, int chunkBytes, int level) {}

    private final Daemon daemon;
    private final Target target;
    private final Map<Digest, List<String>> prioritized;
    private final Progress progress;
    private final Map<Digest, Digest> diffIds = new HashMap<>();

    /**
     * @param daemon with a lease, so that what is made is not collected meanwhile
     * @param prioritized files that come first, by the layer that they are in
     */
    public LayerConversion(Daemon daemon, Target target, Map<Digest, List<String>> prioritized, Progress progress) {
        this.daemon = daemon;
        this.target = target;
        this.prioritized = Map.copyOf(prioritized);
        this.progress = progress;
    }

    /**
     * Converts a layer.
     *
     * @return empty for what is no layer of files, as attestations are, and for one whose bytes come from elsewhere
     * @throws FailedPreconditionException if it is encrypted
     * @throws InvalidArgumentException if it is not an archive that the format can say
     */
    @Override
    public Optional<Descriptor> change(Descriptor layer) throws IOException {
        if (layer.mediaType().endsWith("+encrypted")) {
            throw new FailedPreconditionException(
                    "layer %s is encrypted, and read as a whole only: make a readable image first with longshore image decrypt"
                            .formatted(layer.digest()));
        }
        if (!LAYERS.contains(layer.mediaType())) {
            return Optional.empty();
        }
        LayerOptions options = new LayerOptions(
                target.chunkBytes(),
                target.level(),
                prioritized.getOrDefault(layer.digest(), List.of()),
                Runtime.getRuntime().availableProcessors());
        Path spool = Files.createTempFile("longshore-layer-", ".tar");
        try (FileChannel archive = FileChannel.open(spool, StandardOpenOption.READ, StandardOpenOption.WRITE);
                BlobWriter blob = new BlobWriter(daemon, 0, progress)) {
            try (InputStream in = Compression.decompress(new BlobReader(daemon, layer))) {
                in.transferTo(Channels.newOutputStream(archive));
            }
            WrittenLayer written = new LayerWriter(target.format(), options).write(archive, blob);
            return Optional.of(made(layer, written, blob.commit()));
        } catch (CompressionException | TarFormatException | LayerFormatException e) {
            throw new InvalidArgumentException("layer %s: %s".formatted(layer.digest(), e.getMessage()), e);
        } finally {
            Files.delete(spool);
        }
    }

    private Descriptor made(Descriptor layer, WrittenLayer written, Digest digest) {
        diffIds.put(digest, written.diffId());
        new BlobStore(daemon)
                .label(digest, Map.of(UNCOMPRESSED_LABEL, written.diffId().toString()));
        Map<String, String> annotations = new TreeMap<>(layer.annotations());
        annotations.keySet().removeAll(ANNOTATIONS);
        annotations.putAll(written.annotations());
        String mediaType =
                target.format() == LayerFormat.ESTARGZ ? MediaTypes.OCI_LAYER_GZIP : MediaTypes.OCI_LAYER_ZSTD;
        return new Descriptor(mediaType, digest, written.size(), annotations);
    }

    @Override
    public Optional<Digest> diffId(Descriptor made) {
        return Optional.ofNullable(diffIds.get(made.digest()));
    }
}
