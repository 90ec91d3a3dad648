package dev.longshore.daemon.transfer;

import dev.longshore.daemon.transfer.ImageTree.Leaf;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Reference;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** Writes images as an OCI layout in an archive, with the {@code manifest.json} that {@code docker load} reads beside it. */
final class ArchiveWriter {

    private static final int BUFFER = 256 << 10;
    private static final String LAYOUT = "{\"imageLayoutVersion\":\"1.0.0\"}";

    private final CallContext context;
    private final Blobs blobs;

    ArchiveWriter(CallContext context, Blobs blobs) {
        this.context = context;
        this.blobs = blobs;
    }

    /**
     * What is written of one image.
     *
     * @param documents manifests, indexes and configurations
     * @param leaves whose layers go in
     */
    record Image(String name, Descriptor root, Set<Descriptor> documents, List<Leaf> leaves) {}

    /** Writes {@code images}, and what they have in common once. */
    void write(OutputStream out, List<Image> images, ExportedImage options) throws IOException {
        Set<Digest> all = new LinkedHashSet<>();
        for (Image image : images) {
            for (Leaf leaf : image.leaves) {
                for (Descriptor layer : leaf.wanted() ? leaf.manifest().layers() : List.<Descriptor>of()) {
                    boolean stays = layer.mediaType().contains("nondistributable")
                            || layer.mediaType().contains("foreign");
                    if (!stays || !options.skipNonDistributable()) {
                        all.add(layer.digest());
                    }
                }
            }
            image.documents.forEach(document -> all.add(document.digest()));
        }
        try (TarWriter tar = new TarWriter(out)) {
            folder(tar, "blobs/");
            folder(tar, "blobs/sha256/");
            for (Digest digest : all) {
                blob(tar, digest);
            }
            file(tar, "index.json", Json.bytes(index(images)));
            if (!options.skipCompatibility()) {
                file(
                        tar,
                        "manifest.json",
                        Json.bytes(images.stream()
                                .flatMap(ArchiveWriter::compatible)
                                .toList()));
            }
            file(tar, "oci-layout", LAYOUT.getBytes(StandardCharsets.UTF_8));
        }
    }

    private static void folder(TarWriter tar, String name) throws IOException {
        tar.write(TarEntry.builder(EntryType.DIRECTORY, name).mode(0755).build());
    }

    private static void file(TarWriter tar, String name, byte[] bytes) throws IOException {
        tar.write(TarEntry.builder(EntryType.FILE, name)
                .mode(0644)
                .size(bytes.length)
                .build());
        tar.content(bytes, 0, bytes.length);
        tar.endContent(bytes.length);
    }

    private void blob(TarWriter tar, Digest digest) throws IOException {
        ContentReader reader = blobs.reader(context, digest);
        long size = reader.size();
        tar.write(TarEntry.builder(EntryType.FILE, path(digest))
                .mode(0444)
                .size(size)
                .build());
        byte[] buffer = new byte[BUFFER];
        long copied = 0;
        try (BlobStream in = new BlobStream(reader, _ -> {})) {
            for (int count = in.read(buffer, 0, buffer.length); count > 0; count = in.read(buffer, 0, buffer.length)) {
                tar.content(buffer, 0, count);
                copied += count;
            }
        }
        if (copied != size) {
            throw new IOException("blob %s has %d bytes and %d could be read".formatted(digest, size, copied));
        }
        tar.endContent(size);
    }

    private static String path(Digest digest) {
        return "blobs/" + digest.algorithm() + "/" + digest.hex();
    }

    private static Map<String, Object> index(List<Image> images) {
        List<Map<String, Object>> entries = new ArrayList<>();
        for (Image image : images) {
            Map<String, Object> annotations = new LinkedHashMap<>();
            annotations.put("io.containerd.image.name", image.name);
            annotations.put("org.opencontainers.image.ref.name", tag(image.name));
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("mediaType", image.root.mediaType());
            entry.put("digest", image.root.digest().toString());
            entry.put("size", image.root.size());
            entry.put("annotations", annotations);
            entries.add(entry);
        }
        Map<String, Object> index = new LinkedHashMap<>();
        index.put("schemaVersion", 2);
        index.put("manifests", entries);
        return index;
    }

    private static String tag(String name) {
        return Reference.parse(name).tag().orElse(name);
    }

    /** For {@code docker load}, which knows one platform of an image. */
    private static Stream<Map<String, Object>> compatible(Image image) {
        return image.leaves.stream().filter(Leaf::wanted).limit(1).map(leaf -> {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("Config", path(leaf.manifest().config().digest()));
            entry.put("RepoTags", List.of(familiar(image.name)));
            entry.put(
                    "Layers",
                    leaf.manifest().layers().stream()
                            .map(layer -> path(layer.digest()))
                            .toList());
            return entry;
        });
    }

    /** As Docker shows names. */
    private static String familiar(String name) {
        return name.startsWith("docker.io/library/")
                ? name.substring("docker.io/library/".length())
                : name.startsWith("docker.io/") ? name.substring("docker.io/".length()) : name;
    }
}
