package dev.longshore.stargz.layer;

import dev.longshore.estargz.LayerFormat;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What is stored of a layer beside its index, so that it can be mounted again when no registry is there.
 *
 * @param reference an image with the layer
 * @param size bytes of the blob
 * @param toc digest of the uncompressed table of contents
 * @param compressedToc digest of the compressed one; empty in records of earlier versions
 */
record LayerRecord(ImageName reference, long size, LayerFormat format, Digest toc, Optional<Digest> compressedToc) {

    byte[] encode() {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("reference", reference.toString());
        tree.put("size", size);
        tree.put("format", format.name());
        tree.put("toc", toc.toString());
        compressedToc.ifPresent(digest -> tree.put("compressedToc", digest.toString()));
        return Json.bytes(tree);
    }

    /** @throws DataLossException if it is none of ours */
    static LayerRecord decode(byte[] bytes, String what) {
        try {
            Map<String, Object> tree = Json.object(bytes, what);
            return new LayerRecord(
                    ImageName.parse(Json.string(tree, "reference")),
                    Json.number(tree, "size"),
                    LayerFormat.valueOf(Json.string(tree, "format")),
                    Digest.parse(Json.string(tree, "toc")),
                    Optional.of(Json.string(tree, "compressedToc"))
                            .filter(digest -> !digest.isEmpty())
                            .map(Digest::parse));
        } catch (InvalidArgumentException | IllegalArgumentException e) {
            throw new DataLossException("%s is damaged: %s".formatted(what, e.getMessage()), e);
        }
    }
}
