package dev.longshore.cli.image;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.oci.MediaTypes;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;

/**
 * An archive of images: an OCI layout, or what {@code docker save} writes (whose newer form is both, and read as the
 * former). Says which blobs it has and which images they make; what is in the layers is not looked at here.
 */
final class ImageArchive implements AutoCloseable {

    private static final String NAME = "io.containerd.image.name";
    private static final String TAG = "org.opencontainers.image.ref.name";

    /** Indexes in indexes. */
    private static final int MAX_DEPTH = 4;

    private final TarIndex tar;
    private final SequencedMap<Digest, Blob> blobs = new LinkedHashMap<>();
    private final SequencedMap<String, Descriptor> images = new LinkedHashMap<>();
    private final Set<String> missing = new LinkedHashSet<>();

    private ImageArchive(TarIndex tar) {
        this.tar = tar;
    }

    /**
     * @param baseName goes before tags that have no name with them
     * @throws InvalidArgumentException if it holds no image, or one that is not whole
     */
    static ImageArchive open(Path file, String baseName) throws IOException {
        TarIndex tar = TarIndex.open(file);
        try {
            ImageArchive archive = new ImageArchive(tar);
            if (tar.has("index.json")) {
                archive.readLayout(baseName);
            } else if (tar.has("manifest.json")) {
                archive.readDocker();
            } else {
                throw new InvalidArgumentException(
                        "%s is not an image: it has neither index.json (OCI) nor manifest.json (docker save)"
                                .formatted(file));
            }
            if (archive.images.isEmpty()) {
                throw new InvalidArgumentException(file + " names no image: give it a name with --name");
            }
            return archive;
        } catch (IOException | RuntimeException e) {
            tar.close();
            throw e;
        }
    }

    /** What to store, what is referred to before what refers to it. */
    List<Blob> blobs() {
        return List.copyOf(blobs.values());
    }

    /** Names, and what they name. */
    SequencedMap<String, Descriptor> images() {
        return images;
    }

    /** Digests of manifests, usually of other platforms, that an index refers to and the archive does not have. */
    Set<String> missing() {
        return missing;
    }

    private void readLayout(String baseName) throws IOException {
        List<Map<String, Object>> entries = Manifests.index(tar.document("index.json"), "index.json");
        for (Map<String, Object> entry : entries) {
            Descriptor descriptor = Manifests.descriptor(entry);
            if (add(descriptor, 0)) {
                images.put(
                        nameOf(descriptor, baseName),
                        new Descriptor(descriptor.mediaType(), descriptor.digest(), descriptor.size()));
            }
        }
    }

    private static String nameOf(Descriptor descriptor, String baseName) {
        String tag = descriptor.annotations().getOrDefault(TAG, "");
        if (!baseName.isEmpty()) {
            boolean named = baseName.lastIndexOf(':') > baseName.lastIndexOf('/');
            return named ? baseName : baseName + ":" + (tag.isEmpty() || tag.contains("/") ? "latest" : tag);
        }
        String name = descriptor.annotations().getOrDefault(NAME, tag);
        if (name.isEmpty() || !name.contains("/")) {
            throw new InvalidArgumentException(
                    "the archive has the tag \"%s\" and no name with it: give it one with --name, e.g. --name docker.io/library/app"
                            .formatted(name));
        }
        return name;
    }

    /** Adds a manifest or an index with all that it refers to; false if the archive does not have it. */
    private boolean add(Descriptor descriptor, int depth) throws IOException {
        if (!tar.has(path(descriptor.digest()))) {
            missing.add(descriptor.digest().toString());
            return false;
        }
        byte[] bytes = tar.document(path(descriptor.digest()));
        String what = "manifest " + descriptor.digest();
        check(descriptor, bytes, what);
        if (Manifests.isIndex(descriptor.mediaType())) {
            if (depth >= MAX_DEPTH) {
                throw new InvalidArgumentException(
                        "%s: indexes are nested more than %d deep".formatted(what, MAX_DEPTH));
            }
            List<Descriptor> present = new ArrayList<>();
            for (Map<String, Object> entry : Manifests.index(bytes, what)) {
                Descriptor child = Manifests.descriptor(entry);
                if (add(child, depth + 1)) {
                    present.add(child);
                }
            }
            if (present.isEmpty()) {
                throw new InvalidArgumentException(what + " is an index, and the archive has none of its images");
            }
            put(descriptor, Manifests.references(present), memory(bytes));
        } else if (Manifests.isManifest(descriptor.mediaType())) {
            Manifests.Manifest manifest = Manifests.manifest(bytes, what);
            for (Descriptor layer : manifest.layers()) {
                addFile(layer);
            }
            addFile(manifest.config());
            put(descriptor, Manifests.references(manifest), memory(bytes));
        } else {
            throw new InvalidArgumentException(
                    "%s has the media type \"%s\", which is not an image's".formatted(what, descriptor.mediaType()));
        }
        return true;
    }

    private void addFile(Descriptor descriptor) {
        TarIndex.Content content = tar.find(path(descriptor.digest()));
        if (content.size() != descriptor.size()) {
            throw new InvalidArgumentException("blob %s has %d bytes in the archive, and %d in its manifest"
                    .formatted(descriptor.digest(), content.size(), descriptor.size()));
        }
        put(descriptor, Map.of(), skip -> tar.stream(content, skip));
    }

    private void put(Descriptor descriptor, Map<String, String> labels, Blob.Source source) {
        blobs.putIfAbsent(descriptor.digest(), new Blob(descriptor, labels, source));
    }

    private static Blob.Source memory(byte[] bytes) {
        return skip -> new ByteArrayInputStream(bytes, (int) skip, bytes.length - (int) skip);
    }

    private static void check(Descriptor descriptor, byte[] bytes, String what) {
        MessageDigest digester = descriptor.digest().digester();
        digester.update(bytes);
        Digest actual = Digest.of(descriptor.digest().algorithm(), digester);
        if (!actual.equals(descriptor.digest())) {
            throw new InvalidArgumentException(
                    "%s has another digest in the archive: %s. The archive is damaged or forged"
                            .formatted(what, actual));
        }
    }

    private static String path(Digest digest) {
        return "blobs/" + digest.algorithm() + "/" + digest.hex();
    }

    /** What {@code docker save} wrote before it wrote OCI layouts: manifests are made here, layers stay as they are. */
    private void readDocker() throws IOException {
        for (Map<String, Object> entry : Json.objects(tar.document("manifest.json"), "manifest.json")) {
            byte[] config = tar.document(Json.string(entry, "Config"));
            Descriptor configDescriptor =
                    new Descriptor(MediaTypes.DOCKER_CONFIG, Digest.sha256(config), config.length);
            put(configDescriptor, Map.of(), memory(config));
            List<Descriptor> layers = new ArrayList<>();
            for (String name : Json.strings(entry, "Layers")) {
                TarIndex.Content content = tar.find(name);
                Descriptor layer = new Descriptor(layerType(content), digest(content), content.size());
                put(layer, Map.of(), skip -> tar.stream(content, skip));
                layers.add(layer);
            }
            Manifests.Manifest manifest = new Manifests.Manifest(configDescriptor, layers);
            byte[] bytes = Json.bytes(tree(manifest));
            Descriptor descriptor = new Descriptor(MediaTypes.DOCKER_MANIFEST, Digest.sha256(bytes), bytes.length);
            put(descriptor, Manifests.references(manifest), memory(bytes));
            for (String tag : Json.strings(entry, "RepoTags")) {
                images.put(familiar(tag), descriptor);
            }
        }
    }

    /** Docker's short names, written out. */
    private static String familiar(String tag) {
        int slash = tag.indexOf('/');
        if (slash < 0) {
            return "docker.io/library/" + tag;
        }
        String host = tag.substring(0, slash);
        return host.contains(".") || host.contains(":") || host.equals("localhost") ? tag : "docker.io/" + tag;
    }

    private static Map<String, Object> tree(Manifests.Manifest manifest) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("schemaVersion", 2);
        tree.put("mediaType", MediaTypes.DOCKER_MANIFEST);
        tree.put("config", tree(manifest.config()));
        tree.put("layers", manifest.layers().stream().map(ImageArchive::tree).toList());
        return tree;
    }

    private static Map<String, Object> tree(Descriptor descriptor) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("mediaType", descriptor.mediaType());
        tree.put("size", descriptor.size());
        tree.put("digest", descriptor.digest().toString());
        return tree;
    }

    private String layerType(TarIndex.Content content) throws IOException {
        try (InputStream in = tar.stream(content, 0)) {
            byte[] magic = in.readNBytes(4);
            if (new String(magic, StandardCharsets.ISO_8859_1).startsWith("\u001f\u008b")) {
                return MediaTypes.DOCKER_LAYER_GZIP;
            }
            return new String(magic, StandardCharsets.ISO_8859_1).equals("(\u00b5/\u00fd")
                    ? MediaTypes.DOCKER_LAYER_ZSTD
                    : MediaTypes.DOCKER_LAYER;
        }
    }

    private Digest digest(TarIndex.Content content) throws IOException {
        MessageDigest digester = Digest.digester("sha256");
        byte[] buffer = new byte[1 << 16];
        try (InputStream in = tar.stream(content, 0)) {
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                digester.update(buffer, 0, count);
            }
        }
        return Digest.of("sha256", digester);
    }

    @Override
    public void close() throws IOException {
        tar.close();
    }
}
