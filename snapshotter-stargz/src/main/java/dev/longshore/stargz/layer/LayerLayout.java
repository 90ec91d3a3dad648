package dev.longshore.stargz.layer;

import dev.longshore.sdk.digest.Digest;
import java.nio.file.Path;

/**
 * What lies where of layers that are read lazily:
 *
 * <pre>
 * ALGORITHM-HEX/index        the packed table of contents
 * ALGORITHM-HEX/layer.json   where the layer is from; a folder without it is rubbish
 * ALGORITHM-HEX/image        all files of a complete layer, as EROFS; there are no chunks then
 * ALGORITHM-HEX/data         chunks, uncompressed, with holes
 * ALGORITHM-HEX/data-INODE   the same of a big file
 * ALGORITHM-HEX/present      a bit for each chunk that is in one of these
 * ahead/ALGORITHM-HEX        the same of a layer that nobody has asked for yet; rubbish after a restart
 * </pre>
 */
record LayerLayout(Path root) {

    Path layer(Digest digest) {
        return root.resolve(digest.algorithm() + "-" + digest.hex());
    }

    Path ahead() {
        return root.resolve("ahead");
    }

    Path index(Digest digest) {
        return layer(digest).resolve("index");
    }

    Path record(Digest digest) {
        return layer(digest).resolve("layer.json");
    }

    Path image(Digest digest) {
        return layer(digest).resolve("image");
    }

    Path data(Digest digest) {
        return layer(digest).resolve("data");
    }

    Path present(Digest digest) {
        return layer(digest).resolve("present");
    }
}
