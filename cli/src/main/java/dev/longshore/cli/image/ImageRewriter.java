package dev.longshore.cli.image;

import dev.longshore.api.services.images.v1.Image;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Progress;
import dev.longshore.ocicrypt.Annotations;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.oci.MediaTypes;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Makes an image of another by changing its layers: the manifest that names them follows, and the index that names that. What is not
 * changed is neither copied nor written anew; fields that are unknown here stay.
 */
public final class ImageRewriter {

    private static final int MAX_DEPTH = 4;

    /** What becomes of a layer. */
    public interface LayerChange {

        /** @return the new layer, stored; empty for one that stays as it is */
        Optional<Descriptor> change(Descriptor layer) throws IOException;

        /** The digest of {@code made}, a layer from {@link #change}, uncompressed; empty if that is what it was before. */
        default Optional<Digest> diffId(Descriptor made) {
            return Optional.empty();
        }
    }

    /**
     * What of an image is changed.
     *
     * @param layers from 0, the lowest; negative from the top, which is -1; empty for all
     * @param platforms as {@code linux/arm64}, or with a variant behind; empty for all
     */
    public record Choice(List<Integer> layers, List<String> platforms) {

        public Choice {
            layers = List.copyOf(layers);
            platforms = List.copyOf(platforms);
            for (String platform : platforms) {
                if (!platform.matches("[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?")) {
                    throw new InvalidArgumentException(
                            "platform \"%s\" is not of the form OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT"
                                    .formatted(platform));
                }
            }
        }

        boolean hasLayer(int index, int count) {
            return layers.isEmpty() || layers.contains(index) || layers.contains(index - count);
        }

        /** @param platform object as an index or a configuration has it */
        boolean hasPlatform(Map<String, Object> platform) {
            String name = Json.string(platform, "os") + "/" + Json.string(platform, "architecture");
            String variant = Json.string(platform, "variant");
            return platforms.isEmpty() || platforms.contains(name) || platforms.contains(name + "/" + variant);
        }
    }

    private final Daemon daemon;
    private final BlobStore store;
    private final Choice choice;
    private final LayerChange change;
    private final Progress progress;

    /** Those that are done, by what they were: platforms may share them. */
    private final Map<Descriptor, Optional<Descriptor>> done = new HashMap<>();

    /** @param daemon with a lease, so that what is made is not collected meanwhile */
    public ImageRewriter(Daemon daemon, Choice choice, LayerChange change, Progress progress) {
        this.daemon = daemon;
        this.store = new BlobStore(daemon);
        this.choice = choice;
        this.change = change;
        this.progress = progress;
    }

    /**
     * @param source as a person names it
     * @param destination the full name of the new image; one that had it has it no more
     * @return what the new image is
     * @throws FailedPreconditionException if nothing of it is to be changed
     */
    public Descriptor rewrite(String source, String destination) throws IOException {
        Image image = new ImageStore(daemon, "").find(source);
        Descriptor target = ImageStore.target(image);
        Descriptor rewritten = rewrite(target, 0);
        if (rewritten.digest().equals(target.digest())) {
            throw new FailedPreconditionException(
                    "image %s has no layer that this would change: see its platforms, its layers and their media types with"
                                    .formatted(image.getName())
                            + " ctr content get " + target.digest());
        }
        ImageStore.name(daemon, destination, rewritten);
        return rewritten;
    }

    private Descriptor rewrite(Descriptor document, int depth) throws IOException {
        if (Manifests.isManifest(document.mediaType())) {
            return manifest(document, depth > 0);
        }
        if (!Manifests.isIndex(document.mediaType()) || depth > MAX_DEPTH) {
            throw new InvalidArgumentException("%s is a %s, and neither a manifest nor an index of some"
                    .formatted(document.digest(), document.mediaType()));
        }
        return index(document, depth);
    }

    private Descriptor index(Descriptor document, int depth) throws IOException {
        byte[] bytes = store.read(document);
        String what = "index " + document.digest();
        List<Map<String, Object>> entries = new ArrayList<>();
        List<Descriptor> referred = new ArrayList<>();
        boolean changed = false;
        for (Map<String, Object> entry : Manifests.index(bytes, what)) {
            Descriptor old = Manifests.descriptor(entry);
            Descriptor made = choice.hasPlatform(Json.object(entry, "platform")) || Manifests.isIndex(old.mediaType())
                    ? rewrite(old, depth + 1)
                    : old;
            changed |= !made.digest().equals(old.digest());
            entries.add(replaced(entry, made));
            referred.add(made);
        }
        if (!changed) {
            return document;
        }
        Map<String, Object> index = new LinkedHashMap<>(Json.object(bytes, what));
        index.put("mediaType", MediaTypes.OCI_INDEX);
        index.put("manifests", entries);
        return write(MediaTypes.OCI_INDEX, index, Manifests.references(referred));
    }

    /** @param chosen whether its platform is known to be wanted: an index has said so */
    private Descriptor manifest(Descriptor document, boolean chosen) throws IOException {
        byte[] bytes = store.read(document);
        String what = "manifest " + document.digest();
        Manifests.Manifest old = Manifests.manifest(bytes, what);
        if (!chosen && !choice.platforms().isEmpty() && !choice.hasPlatform(configuration(old))) {
            return document;
        }
        Map<String, Object> manifest = new LinkedHashMap<>(Json.object(bytes, what));
        List<Map<String, Object>> stated = Json.objects(manifest, "layers");
        List<Map<String, Object>> layers = new ArrayList<>();
        List<Descriptor> referred = new ArrayList<>();
        Map<Integer, Digest> diffIds = new HashMap<>();
        boolean changed = false;
        for (int i = 0; i < stated.size(); i++) {
            Descriptor layer = old.layers().get(i);
            Optional<Descriptor> made = Optional.empty();
            if (choice.hasLayer(i, stated.size())) {
                progress.step("layer %d of %d".formatted(i + 1, stated.size()));
                made = change(layer);
            }
            changed |= made.isPresent();
            int index = i;
            made.flatMap(change::diffId).ifPresent(diffId -> diffIds.put(index, diffId));
            // The manifest becomes one of OCI, which Docker's layers do not belong into.
            Descriptor kept = made.orElse(
                    new Descriptor(oci(layer.mediaType()), layer.digest(), layer.size(), layer.annotations()));
            layers.add(replaced(stated.get(i), kept));
            referred.add(kept);
        }
        if (!changed) {
            return document;
        }
        Descriptor config = configuration(old, diffIds);
        manifest.put("mediaType", MediaTypes.OCI_MANIFEST);
        manifest.put("config", replaced(Json.object(manifest, "config"), config));
        manifest.put("layers", layers);
        return write(MediaTypes.OCI_MANIFEST, manifest, Manifests.references(new Manifests.Manifest(config, referred)));
    }

    /** @param diffIds of the layers that have another one than before, by their place */
    private Descriptor configuration(Manifests.Manifest old, Map<Integer, Digest> diffIds) throws IOException {
        String mediaType = oci(old.config().mediaType());
        if (diffIds.isEmpty()) {
            return new Descriptor(
                    mediaType,
                    old.config().digest(),
                    old.config().size(),
                    old.config().annotations());
        }
        Map<String, Object> config = new LinkedHashMap<>(configuration(old));
        Map<String, Object> rootfs = new LinkedHashMap<>(Json.object(config, "rootfs"));
        List<String> all = new ArrayList<>(Json.strings(rootfs, "diff_ids"));
        if (all.size() != old.layers().size()) {
            throw new InvalidArgumentException("configuration %s has %d diff_ids for %d layers"
                    .formatted(old.config().digest(), all.size(), old.layers().size()));
        }
        diffIds.forEach((index, diffId) -> all.set(index, diffId.toString()));
        rootfs.put("diff_ids", all);
        config.put("rootfs", rootfs);
        return write(mediaType, config, Map.of());
    }

    private Map<String, Object> configuration(Manifests.Manifest manifest) {
        return Json.object(
                store.read(manifest.config()),
                "configuration " + manifest.config().digest());
    }

    private Optional<Descriptor> change(Descriptor layer) throws IOException {
        Optional<Descriptor> known = done.get(layer);
        if (known == null) {
            known = change.change(layer);
            done.put(layer, known);
        }
        return known;
    }

    private static String oci(String mediaType) {
        return mediaType.equals(MediaTypes.DOCKER_CONFIG) ? MediaTypes.OCI_CONFIG : Annotations.oci(mediaType);
    }

    private static Map<String, Object> replaced(Map<String, Object> stated, Descriptor descriptor) {
        Map<String, Object> object = new LinkedHashMap<>(stated);
        if (!descriptor.digest().toString().equals(stated.get("digest"))) {
            object.remove("urls"); // where what it was made of is
        }
        object.put("mediaType", descriptor.mediaType());
        object.put("digest", descriptor.digest().toString());
        object.put("size", descriptor.size());
        if (descriptor.annotations().isEmpty()) {
            object.remove("annotations");
        } else {
            object.put("annotations", new TreeMap<>(descriptor.annotations()));
        }
        return object;
    }

    private Descriptor write(String mediaType, Map<String, Object> document, Map<String, String> references)
            throws IOException {
        byte[] bytes = Json.bytes(document);
        Descriptor descriptor = new Descriptor(mediaType, Digest.sha256(bytes), bytes.length);
        store.write(
                new Blob(
                        descriptor,
                        references,
                        skip -> new ByteArrayInputStream(bytes, (int) skip, bytes.length - (int) skip)),
                progress);
        return descriptor;
    }
}
