package dev.longshore.daemon.transfer;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.oci.Reference;
import dev.longshore.sdk.tar.GlobalHeaders;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarLimits;
import dev.longshore.sdk.tar.TarReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * An archive of images as it streams by: an OCI layout, or what {@code docker save} wrote before it wrote those, compressed or not. Its
 * files go to the content store as they come, verified where their names say what they are; what the archive is about is known at its
 * end.
 */
final class ImportedArchive {

    private static final TarLimits LIMITS = new TarLimits(100_000, 4096, 1 << 20, 1);
    private static final int BUFFER = 256 << 10;

    private final CallContext context;
    private final ContentStore content;
    private final Blobs blobs;
    private final Map<String, byte[]> documents = new HashMap<>();

    /** By its path, what a file that is no blob of a layout was stored as. */
    private final Map<String, Stored> files = new HashMap<>();

    private final Map<String, String> links = new HashMap<>();

    private record Stored(Digest digest, long size) {}

    ImportedArchive(CallContext context, ContentStore content, Blobs blobs) {
        this.context = context;
        this.content = content;
        this.blobs = blobs;
    }

    /**
     * Stores all of it.
     *
     * @return the images, with the annotations that name them
     * @throws InvalidArgumentException if it holds none
     */
    List<Descriptor> read(InputStream archive) throws IOException {
        try (InputStream plain = Compression.decompress(archive)) {
            TarReader tar = new TarReader(plain, LIMITS, GlobalHeaders.IGNORE);
            for (Optional<TarEntry> entry = tar.next(); entry.isPresent(); entry = tar.next()) {
                take(entry.get(), tar);
            }
            plain.transferTo(OutputStream.nullOutputStream());
        }
        byte[] index = documents.get("index.json");
        if (index != null) {
            return layout(index);
        }
        byte[] manifest = documents.get("manifest.json");
        if (manifest != null) {
            return docker(manifest);
        }
        throw new InvalidArgumentException(
                "the archive holds no image: it has neither index.json (OCI) nor manifest.json (docker save)");
    }

    private void take(TarEntry entry, TarReader tar) throws IOException {
        String name = Path.of("/").resolve(entry.name()).normalize().toString().substring(1);
        switch (entry.type()) {
            case FILE -> {
                if (name.equals("index.json") || name.equals("manifest.json") || name.equals("oci-layout")) {
                    documents.put(name, document(name, entry, tar));
                } else if (name.matches("blobs/[a-z0-9]+/[0-9a-f]{64,128}")) {
                    String[] parts = name.split("/", -1);
                    store(name, Optional.of(Digest.parse(parts[1] + ":" + parts[2])), entry, tar);
                } else if (entry.size() > 0) {
                    store(name, Optional.empty(), entry, tar);
                }
            }
            // docker save had a link for a layer that it had written before.
            case SYMLINK -> {
                Path target = Path.of("/")
                        .resolve(name)
                        .resolveSibling(entry.linkName())
                        .normalize();
                links.put(name, target.toString().substring(1));
            }
            case HARD_LINK ->
                links.put(
                        name,
                        Path.of("/")
                                .resolve(entry.linkName())
                                .normalize()
                                .toString()
                                .substring(1));
            default -> {}
        }
    }

    private static byte[] document(String name, TarEntry entry, TarReader tar) throws IOException {
        if (entry.size() > Blobs.MAX_DOCUMENT) {
            throw new InvalidArgumentException("%s of the archive has %d bytes, the limit is %d"
                    .formatted(name, entry.size(), Blobs.MAX_DOCUMENT));
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream((int) entry.size());
        byte[] buffer = new byte[BUFFER];
        for (int count = tar.read(buffer, 0, buffer.length); count >= 0; count = tar.read(buffer, 0, buffer.length)) {
            bytes.write(buffer, 0, count);
        }
        return bytes.toByteArray();
    }

    private void store(String name, Optional<Digest> expected, TarEntry entry, TarReader tar) throws IOException {
        String ref = "import-" + UUID.randomUUID();
        try (ContentWriter writer = content.writer(context, new WriterRequest(ref, entry.size(), expected))) {
            byte[] buffer = new byte[BUFFER];
            for (int count = tar.read(buffer, 0, buffer.length);
                    count >= 0;
                    count = tar.read(buffer, 0, buffer.length)) {
                writer.write(ByteBuffer.wrap(buffer, 0, count));
            }
            Digest digest = expected.orElse(writer.digest());
            try {
                writer.commit(entry.size(), Optional.of(digest), Map.of());
            } catch (AlreadyExistsException e) {
                // The same file as another, or as one of an earlier import.
            }
            files.put(name, new Stored(digest, entry.size()));
        } catch (AlreadyExistsException e) {
            files.put(name, new Stored(expected.orElseThrow(), entry.size()));
        } catch (FailedPreconditionException e) {
            drop(ref, e);
            throw new InvalidArgumentException(
                    "%s is not what its name says: the archive is damaged or forged: %s"
                            .formatted(name, e.getMessage()),
                    e);
        } catch (IOException | RuntimeException e) {
            drop(ref, e);
            throw e;
        }
    }

    private void drop(String ref, Exception cause) {
        try {
            content.abort(context, ref);
        } catch (ContainerdException e) {
            cause.addSuppressed(e); // it expires
        }
    }

    private List<Descriptor> layout(byte[] index) {
        List<Descriptor> images = new ArrayList<>();
        for (Map<String, Object> entry : Manifests.index(index, "index.json")) {
            Descriptor descriptor = Manifests.descriptor(entry);
            if (blobs.has(context, descriptor.digest())) {
                images.add(descriptor);
            }
        }
        if (images.isEmpty()) {
            throw new InvalidArgumentException("the archive has none of the images that its index.json names");
        }
        return images;
    }

    /** Manifests are made here; layers stay as they are. */
    private List<Descriptor> docker(byte[] document) throws IOException {
        List<Descriptor> images = new ArrayList<>();
        for (Map<String, Object> entry : Json.objects(document, "manifest.json")) {
            Stored config = stored(Json.string(entry, "Config"));
            List<Map<String, Object>> layers = new ArrayList<>();
            for (String name : Json.strings(entry, "Layers")) {
                Stored layer = stored(name);
                layers.add(tree(layerType(layer), layer));
            }
            Map<String, Object> manifest = new LinkedHashMap<>();
            manifest.put("schemaVersion", 2);
            manifest.put("mediaType", MediaTypes.DOCKER_MANIFEST);
            manifest.put("config", tree(MediaTypes.DOCKER_CONFIG, config));
            manifest.put("layers", layers);
            Descriptor descriptor = put(Json.bytes(manifest));
            List<String> tags = Json.strings(entry, "RepoTags");
            for (String tag : tags.isEmpty() ? List.of("") : tags) {
                images.add(new Descriptor(
                        descriptor.mediaType(),
                        descriptor.digest(),
                        descriptor.size(),
                        tag.isEmpty()
                                ? Map.of()
                                : Map.of(
                                        "io.containerd.image.name",
                                        Reference.parseFamiliar(tag).toString())));
            }
        }
        if (images.isEmpty()) {
            throw new InvalidArgumentException("the archive's manifest.json names no image");
        }
        return images;
    }

    private Stored stored(String name) {
        String path = name;
        for (int hops = 0; hops < 8 && !files.containsKey(path) && links.containsKey(path); hops++) {
            path = links.get(path);
        }
        Stored stored = files.get(path);
        if (stored == null) {
            throw new InvalidArgumentException(
                    "the archive's manifest.json refers to \"%.255s\", which is not in it".formatted(name));
        }
        return stored;
    }

    private String layerType(Stored layer) {
        ByteBuffer start = ByteBuffer.allocate(4);
        try (ContentReader reader = content.reader(context, layer.digest())) {
            int _ = reader.read(start, 0);
        }
        return switch (Compression.detect(start.array())) {
            case NONE -> MediaTypes.DOCKER_LAYER;
            case GZIP -> MediaTypes.DOCKER_LAYER_GZIP;
            case ZSTD -> MediaTypes.DOCKER_LAYER_ZSTD;
        };
    }

    private static Map<String, Object> tree(String type, Stored stored) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("mediaType", type);
        tree.put("size", stored.size());
        tree.put("digest", stored.digest().toString());
        return tree;
    }

    private Descriptor put(byte[] manifest) {
        Descriptor descriptor = new Descriptor(MediaTypes.DOCKER_MANIFEST, Digest.sha256(manifest), manifest.length);
        try (ContentWriter writer = content.writer(
                context,
                new WriterRequest("import-" + UUID.randomUUID(), manifest.length, Optional.of(descriptor.digest())))) {
            writer.write(ByteBuffer.wrap(manifest));
            writer.commit(manifest.length, Optional.of(descriptor.digest()), Map.of());
        } catch (AlreadyExistsException e) {
            return descriptor; // imported before
        }
        return descriptor;
    }
}
