package dev.longshore.daemon.content;

import dev.longshore.sdk.digest.Digest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/**
 * Where things are below the root of the store. The layout is containerd's:
 *
 * <pre>
 * blobs/&lt;algorithm&gt;/&lt;hex&gt;
 * ingest/&lt;sha256 of the ref&gt;/{ref,startedat,updatedat,total,data}
 * </pre>
 */
record ContentLayout(Path root) {

    Path blobs() {
        return root.resolve("blobs");
    }

    Path blobs(String algorithm) {
        return blobs().resolve(algorithm);
    }

    Path blob(Digest digest) {
        return blobs(digest.algorithm()).resolve(digest.hex());
    }

    Path ingests() {
        return root.resolve("ingest");
    }

    Path ingest(String ref) {
        return ingests()
                .resolve(Digest.sha256(ref.getBytes(StandardCharsets.UTF_8)).hex());
    }

    /** Whether {@code path} has the form of an ingest's folder; a stranger's file is left alone. */
    boolean isIngest(Path path) {
        return path.getFileName().toString().length() == 64 && Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS);
    }

    static Path ref(Path ingest) {
        return ingest.resolve("ref");
    }

    static Path startedAt(Path ingest) {
        return ingest.resolve("startedat");
    }

    static Path updatedAt(Path ingest) {
        return ingest.resolve("updatedat");
    }

    static Path total(Path ingest) {
        return ingest.resolve("total");
    }

    static Path data(Path ingest) {
        return ingest.resolve("data");
    }
}
