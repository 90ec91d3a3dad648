package dev.longshore.stargz.layer;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.stargz.erofs.ErofsFiles;
import dev.longshore.stargz.erofs.ErofsImage;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes images of complete layers, for the kernel to read by itself. A layer's image takes the place of its chunks: there are two copies
 * only while it is written. Images are not taken back while the layer is used, so they have a part of the cache's room; a layer for
 * which there is none keeps its chunks. Safe for use by many threads.
 *
 * <p><b>Order of writing.</b> The image, durably; then the chunks are removed. Where there is an image, what there is of chunks is
 * rubbish.
 */
final class LayerImages {

    private static final Logger log = LoggerFactory.getLogger(LayerImages.class);

    private final LayerLayout layout;
    private final ChunkCache cache;
    private final Optional<List<String>> opaqueXattrs;

    /** @param opaqueXattrs the attributes that opaque folders get; empty if no images are to be made or used */
    LayerImages(LayerLayout layout, ChunkCache cache, Optional<List<String>> opaqueXattrs) {
        this.layout = layout;
        this.cache = cache;
        this.opaqueXattrs = opaqueXattrs;
    }

    /** Whether the kernel can mount images. */
    boolean mountable() {
        return opaqueXattrs.isPresent();
    }

    /** The image of a layer, if it has one; what another process has left half done is removed. */
    Optional<ErofsFiles> open(Digest digest, LayerIndex index) throws IOException {
        Path image = layout.image(digest);
        Files.deleteIfExists(ErofsImage.temporary(image));
        try {
            ErofsFiles files = ErofsFiles.open(image, index);
            cache.addImage(files.bytes());
            removeChunks(digest);
            return Optional.of(files);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (DataLossException e) {
            log.atWarn()
                    .addKeyValue("layer", digest)
                    .addKeyValue("err", e.getMessage())
                    .log("the image of a layer is of no use: the layer is fetched again");
            Files.deleteIfExists(image);
            return Optional.empty();
        }
    }

    /** A layer that is removed, with its image. */
    void forget(Layer layer) {
        if (layer.files().image().isPresent()) {
            cache.removeImage(layer.files().bytesOnDisk());
        }
    }

    private void removeChunks(Digest digest) throws IOException {
        Files.deleteIfExists(layout.present(digest));
        try (DirectoryStream<Path> all = Files.newDirectoryStream(layout.layer(digest), "data*")) {
            for (Path data : all) {
                Files.deleteIfExists(data);
            }
        }
    }

    /** Makes the image of a layer that is complete, if it has none and there is room. */
    void make(Layer layer) {
        Optional<LayerContent> chunks = layer.files().chunks();
        if (opaqueXattrs.isEmpty() || chunks.isEmpty()) {
            return;
        }
        chunks.get().keep(true);
        try {
            make(layer, chunks.get(), new ErofsImage(layer.index(), opaqueXattrs.get()));
        } catch (UnimplementedException e) {
            log.atInfo()
                    .addKeyValue("layer", layer)
                    .addKeyValue("reason", e.getMessage())
                    .log("a layer has no image and stays on FUSE");
        } catch (IOException | RuntimeException e) {
            if (!layer.files().closed()) {
                log.atWarn().addKeyValue("layer", layer).setCause(e).log("cannot write the image of a layer");
            }
        } finally {
            chunks.get().keep(false);
        }
    }

    private void make(Layer layer, LayerContent chunks, ErofsImage image) throws IOException {
        if (!cache.reserveImage(image.bytes())) {
            log.atInfo()
                    .addKeyValue("layer", layer)
                    .addKeyValue("bytes", image.bytes())
                    .log("a layer has no image and stays on FUSE: cache_size leaves no room for one");
            return;
        }
        boolean used = false;
        try {
            Path file = layout.image(layer.digest());
            layer.files().endPrefetchUse();
            image.write(file, chunks);
            used = layer.files().use(ErofsFiles.open(file, layer.index()));
        } finally {
            if (!used) {
                cache.removeImage(image.bytes());
            }
        }
        if (used) {
            removeChunks(layer.digest());
            log.atInfo()
                    .addKeyValue("layer", layer)
                    .addKeyValue("bytes", image.bytes())
                    .log("layer has an image: the kernel reads it for new containers");
        }
    }
}
