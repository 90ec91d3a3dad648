package dev.longshore.sdk.oci;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * OCI's and Docker's documents, read.
 *
 * @see <a href="https://github.com/opencontainers/image-spec">image-spec</a>
 */
public final class Manifests {

    /** Layers of one image. Overlayfs takes fewer. */
    private static final int MAX_LAYERS = 1000;

    /**
     * An image for one platform.
     *
     * @param layers the lowest first
     */
    public record Manifest(Descriptor config, List<Descriptor> layers) {

        public Manifest {
            layers = List.copyOf(layers);
        }
    }

    /**
     * What an image says about itself.
     *
     * @param diffIds digests of the uncompressed layers, the lowest first
     * @param process how to run it
     */
    public record Config(String os, String architecture, List<Digest> diffIds, ProcessDefaults process) {

        public Config {
            diffIds = List.copyOf(diffIds);
        }
    }

    /**
     * How an image wants to be run; empty for what it does not say.
     *
     * @param stopSignal a name or a number
     */
    public record ProcessDefaults(
            String user,
            List<String> env,
            List<String> entrypoint,
            List<String> command,
            String workingFolder,
            String stopSignal) {

        public ProcessDefaults {
            env = List.copyOf(env);
            entrypoint = List.copyOf(entrypoint);
            command = List.copyOf(command);
        }
    }

    private Manifests() {}

    public static boolean isIndex(String mediaType) {
        return mediaType.equals(MediaTypes.OCI_INDEX) || mediaType.equals(MediaTypes.DOCKER_INDEX);
    }

    public static boolean isManifest(String mediaType) {
        return mediaType.equals(MediaTypes.OCI_MANIFEST) || mediaType.equals(MediaTypes.DOCKER_MANIFEST);
    }

    /** @throws InvalidArgumentException if it is not a manifest, or is an index as well (CVE-2021-41190) */
    public static Manifest manifest(byte[] bytes, String what) {
        Map<String, Object> document = Json.object(bytes, what);
        if (document.containsKey("manifests")) {
            throw new InvalidArgumentException(what + " is a manifest and an index at once: refused");
        }
        List<Map<String, Object>> layers = Json.objects(document, "layers");
        if (layers.size() > MAX_LAYERS) {
            throw new InvalidArgumentException(
                    "%s has %d layers, the limit is %d".formatted(what, layers.size(), MAX_LAYERS));
        }
        return new Manifest(
                descriptor(Json.object(document, "config")),
                layers.stream().map(Manifests::descriptor).toList());
    }

    /** The manifests and indexes that an index refers to, as objects: their platforms and annotations are in there. */
    public static List<Map<String, Object>> index(byte[] bytes, String what) {
        Map<String, Object> document = Json.object(bytes, what);
        if (document.containsKey("layers") || document.containsKey("config")) {
            throw new InvalidArgumentException(what + " is a manifest and an index at once: refused");
        }
        return Json.objects(document, "manifests");
    }

    public static Descriptor descriptor(Map<String, Object> object) {
        long size = Json.number(object, "size");
        if (size < 0) {
            throw new InvalidArgumentException("a descriptor has the size " + size);
        }
        Map<String, String> annotations = new HashMap<>();
        Map<String, Object> stated = Json.object(object, "annotations");
        stated.forEach((key, _) -> annotations.put(key, Json.string(stated, key)));
        return new Descriptor(
                Json.string(object, "mediaType"),
                Digest.parse(Json.string(object, "digest")),
                size,
                annotations,
                Json.strings(object, "urls"));
    }

    public static Config config(byte[] bytes, String what) {
        Map<String, Object> document = Json.object(bytes, what);
        Map<String, Object> process = Json.object(document, "config");
        return new Config(
                Json.string(document, "os"),
                Json.string(document, "architecture"),
                Json.strings(Json.object(document, "rootfs"), "diff_ids").stream()
                        .map(Digest::parse)
                        .toList(),
                new ProcessDefaults(
                        Json.string(process, "User"),
                        Json.strings(process, "Env"),
                        Json.strings(process, "Entrypoint"),
                        Json.strings(process, "Cmd"),
                        Json.string(process, "WorkingDir"),
                        Json.string(process, "StopSignal")));
    }

    /** The labels that keep what a manifest refers to: its configuration and its layers. */
    public static Map<String, String> references(Manifest manifest) {
        Map<String, String> labels = new LinkedHashMap<>();
        labels.put(
                "containerd.io/gc.ref.content.config",
                manifest.config().digest().toString());
        for (int i = 0; i < manifest.layers().size(); i++) {
            labels.put(
                    "containerd.io/gc.ref.content.l." + i,
                    manifest.layers().get(i).digest().toString());
        }
        return labels;
    }

    /** The labels that keep what an index refers to. */
    public static Map<String, String> references(List<Descriptor> manifests) {
        Map<String, String> labels = new LinkedHashMap<>();
        for (int i = 0; i < manifests.size(); i++) {
            labels.put(
                    "containerd.io/gc.ref.content.m." + i,
                    manifests.get(i).digest().toString());
        }
        return labels;
    }

    /** Whether an entry of an index is for {@code os}/{@code architecture}; one that does not say is. */
    public static boolean matches(Map<String, Object> entry, String os, String architecture) {
        Map<String, Object> platform = Json.object(entry, "platform");
        return platform.isEmpty()
                || (Json.string(platform, "os").equals(os)
                        && Json.string(platform, "architecture").equals(architecture));
    }
}
