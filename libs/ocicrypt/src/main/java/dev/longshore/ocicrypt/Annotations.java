package dev.longshore.ocicrypt;

import java.util.Map;
import java.util.TreeMap;

/** The annotations of encrypted layers, and their media types. */
public final class Annotations {

    private static final String PREFIX = "org.opencontainers.image.enc.";

    /** What everybody may know, as base64 of JSON. */
    public static final String PUBLIC_OPTIONS = PREFIX + "pubopts";

    /** A key that was wrapped once or more often, as base64 with commas in between; the scheme follows. */
    static final String KEYS = PREFIX + "keys.";

    private static final String ENCRYPTED = "+encrypted";

    private Annotations() {}

    public static boolean isEncrypted(String mediaType) {
        return mediaType.endsWith(ENCRYPTED);
    }

    /** The media type of a layer once it is encrypted: always one of OCI's. */
    public static String encrypted(String mediaType) {
        return oci(mediaType) + ENCRYPTED;
    }

    /** The media type of what an encrypted layer holds. */
    public static String decrypted(String mediaType) {
        return isEncrypted(mediaType) ? mediaType.substring(0, mediaType.length() - ENCRYPTED.length()) : mediaType;
    }

    /** The media type that OCI has for a layer; what is none of Docker's is left. */
    public static String oci(String mediaType) {
        String docker = "application/vnd.docker.image.rootfs.diff.tar";
        return mediaType.startsWith(docker)
                ? "application/vnd.oci.image.layer.v1.tar"
                        + mediaType.substring(docker.length()).replace('.', '+')
                : mediaType;
    }

    /** Those that have nothing to do with encryption. */
    public static Map<String, String> others(Map<String, String> annotations) {
        Map<String, String> others = new TreeMap<>(annotations);
        others.keySet().removeIf(key -> key.startsWith(PREFIX));
        return others;
    }
}
