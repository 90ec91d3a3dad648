package dev.longshore.cli.image;

import dev.longshore.api.services.images.v1.Image;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.image.ImageRewriter.Choice;
import dev.longshore.cli.text.Progress;
import dev.longshore.sdk.content.StoreLabels;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes an image of another whose blobs name their places in IPFS, as stargz-snapshotter and nerdctl do: every descriptor gets the url
 * {@code ipfs://CID}, and the image is known by the CID of a document that is the descriptor of its manifest or index. The blobs are in
 * IPFS already, for the daemon's content store keeps them there; only what describes them is written anew.
 */
public final class IpfsPublisher {

    private static final String SCHEME = "ipfs://";
    private static final int MAX_DEPTH = 4;

    private final Daemon daemon;
    private final BlobStore store;
    private final Choice choice;
    private final Progress progress;

    /**
     * @param daemon with a lease, so that what is made is not collected meanwhile
     * @param choice of platforms; an index keeps no others
     */
    public IpfsPublisher(Daemon daemon, Choice choice, Progress progress) {
        this.daemon = daemon;
        this.store = new BlobStore(daemon);
        this.choice = choice;
        this.progress = progress;
    }

    /** Whether it names an image in IPFS, and not one in a registry. */
    public static boolean isReference(String name) {
        return name.startsWith(SCHEME);
    }

    /**
     * @param source as a person names it
     * @return the CID. The image is in the store as {@code ipfs://CID} from now on, which keeps it in IPFS
     * @throws FailedPreconditionException if the daemon's content store is none that keeps its blobs in IPFS
     */
    public String publish(String source) throws IOException {
        Image image = new ImageStore(daemon, "").find(source);
        Descriptor made = document(ImageStore.target(image), 0);
        byte[] root = Json.bytes(placed(new LinkedHashMap<>(), made));
        Descriptor document = new Descriptor("application/octet-stream", Digest.sha256(root), root.length);
        write(document, root, Map.of());
        store.label(
                made.digest(),
                Map.of("containerd.io/gc.ref.content.ipfs", document.digest().toString()));
        String cid = cid(document);
        ImageStore.name(daemon, SCHEME + cid, made);
        return cid;
    }

    private Descriptor document(Descriptor document, int depth) throws IOException {
        if (Manifests.isManifest(document.mediaType())) {
            return manifest(document);
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
        for (Map<String, Object> entry : Manifests.index(bytes, what)) {
            Descriptor old = Manifests.descriptor(entry);
            if (choice.hasPlatform(Json.object(entry, "platform")) || Manifests.isIndex(old.mediaType())) {
                Descriptor made = document(old, depth + 1);
                entries.add(placed(entry, made));
                referred.add(made);
            }
        }
        if (entries.isEmpty()) {
            throw new NotFoundException("%s has no image for %s: name another with --platform, or take --all-platforms"
                    .formatted(what, String.join(" or ", choice.platforms())));
        }
        Map<String, Object> index = new LinkedHashMap<>(Json.object(bytes, what));
        index.put("manifests", entries);
        return write(document, index, Manifests.references(referred));
    }

    private Descriptor manifest(Descriptor document) throws IOException {
        byte[] bytes = store.read(document);
        String what = "manifest " + document.digest();
        Manifests.Manifest old = Manifests.manifest(bytes, what);
        Map<String, Object> manifest = new LinkedHashMap<>(Json.object(bytes, what));
        List<Map<String, Object>> stated = Json.objects(manifest, "layers");
        List<Map<String, Object>> layers = new ArrayList<>();
        for (int i = 0; i < stated.size(); i++) {
            layers.add(placed(stated.get(i), inIpfs(old.layers().get(i))));
        }
        manifest.put("config", placed(Json.object(manifest, "config"), inIpfs(old.config())));
        manifest.put("layers", layers);
        return write(document, manifest, Manifests.references(old));
    }

    /** The same descriptor, with its place in front of others. */
    private Descriptor inIpfs(Descriptor blob) {
        List<String> urls = new ArrayList<>(List.of(SCHEME + cid(blob)));
        blob.urls().stream().filter(url -> !isReference(url)).forEach(urls::add);
        return new Descriptor(blob.mediaType(), blob.digest(), blob.size(), blob.annotations(), urls);
    }

    private String cid(Descriptor blob) {
        String cid;
        try {
            cid = store.labels(blob.digest()).getOrDefault(StoreLabels.IPFS_CID, "");
        } catch (NotFoundException e) {
            throw new NotFoundException(
                    "the image's %s is not here: pull the image for this platform first".formatted(blob.digest()), e);
        }
        if (cid.isEmpty()) {
            throw new FailedPreconditionException(
                    ("the daemon's content store does not keep %s in IPFS: configure longshore-content-ipfs as [proxy_plugins.ipfs] with"
                                    + " type = \"content\", and pull or import the image then")
                            .formatted(blob.digest()));
        }
        return cid;
    }

    private static Map<String, Object> placed(Map<String, Object> stated, Descriptor descriptor) {
        Map<String, Object> object = new LinkedHashMap<>(stated);
        object.put("mediaType", descriptor.mediaType());
        object.put("digest", descriptor.digest().toString());
        object.put("size", descriptor.size());
        object.put("urls", descriptor.urls());
        return object;
    }

    private Descriptor write(Descriptor old, Map<String, Object> document, Map<String, String> references)
            throws IOException {
        byte[] bytes = Json.bytes(document);
        Descriptor made = new Descriptor(old.mediaType(), Digest.sha256(bytes), bytes.length);
        write(made, bytes, references);
        return inIpfs(made);
    }

    private void write(Descriptor descriptor, byte[] bytes, Map<String, String> references) throws IOException {
        store.write(
                new Blob(
                        descriptor,
                        references,
                        skip -> new ByteArrayInputStream(bytes, (int) skip, bytes.length - (int) skip)),
                progress);
    }
}
