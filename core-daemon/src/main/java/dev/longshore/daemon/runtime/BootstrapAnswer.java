package dev.longshore.daemon.runtime;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.longshore.api.runtime.bootstrap.v1.BootstrapResult;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnimplementedException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.jr.ob.JSON;

/**
 * What a shim answers to {@code start}: how it is called from now on.
 *
 * @param version of the task service, 2 or 3
 * @param address {@code unix://…}, {@code vsock://…}, or the name of an abstract socket
 * @param protocol {@code ttrpc} or {@code grpc}
 * @param metadata what else the shim says of itself
 */
record BootstrapAnswer(int version, String address, String protocol, Map<String, String> metadata) {

    /** In {@link #metadata}: running {@code start} again for a bundle lets a new shim take over its container. */
    static final String REATTACH = "dev.longshore.reattach";

    private static final int NEWEST_VERSION = 3;

    BootstrapAnswer {
        metadata = Map.copyOf(metadata);
        if (version < 2 || version > NEWEST_VERSION) {
            throw new UnimplementedException(
                    "version %d of the task service; this daemon knows 2 to %d".formatted(version, NEWEST_VERSION));
        }
        if (!Set.of("ttrpc", "grpc").contains(protocol)) {
            throw new UnimplementedException("protocol \"%s\"; this daemon knows ttrpc and grpc".formatted(protocol));
        }
        if (address.isEmpty()) {
            throw new InvalidArgumentException("no address");
        }
    }

    BootstrapAnswer(int version, String address, String protocol) {
        this(version, address, protocol, Map.of());
    }

    /** Whether a lost shim is replaced by starting it again, instead of its container being cleaned up. */
    boolean reattaches() {
        return "true".equals(metadata.get(REATTACH));
    }

    /**
     * Reads any of the three forms that shims have used: protobuf (2.3), JSON (2.0) and the bare address (1.x).
     *
     * @throws InvalidArgumentException if it is none of them
     * @throws UnimplementedException if it names a version or protocol that the daemon does not know
     */
    static BootstrapAnswer parse(byte[] answer) {
        // An empty answer is a valid message, and so is some text: what has unknown fields is not meant as one.
        try {
            BootstrapResult result = BootstrapResult.parseFrom(answer);
            if (!result.getAddress().isEmpty()
                    && result.getUnknownFields().asMap().isEmpty()) {
                return new BootstrapAnswer(
                        result.getVersion(),
                        result.getAddress(),
                        result.getProtocol().toLowerCase(Locale.ROOT),
                        result.getMetadataMap());
            }
        } catch (InvalidProtocolBufferException e) {
            // One of the older forms, then.
        }
        String text = new String(answer, StandardCharsets.UTF_8).strip();
        if (text.startsWith("{")) {
            return parseJson(text);
        }
        if (isAddress(text)) {
            return new BootstrapAnswer(2, text, "ttrpc");
        }
        throw new InvalidArgumentException(
                text.isEmpty() ? "an empty answer" : "neither a BootstrapResult, JSON, nor an address");
    }

    private static BootstrapAnswer parseJson(String text) {
        Map<String, Object> fields;
        try {
            fields = JSON.std.mapFrom(text);
        } catch (JacksonException e) {
            throw new InvalidArgumentException("broken JSON: " + e.getOriginalMessage(), e);
        }
        Map<String, String> metadata = new LinkedHashMap<>();
        if (fields.get("metadata") instanceof Map<?, ?> map) {
            map.forEach((key, value) -> metadata.put(String.valueOf(key), String.valueOf(value)));
        }
        return new BootstrapAnswer(
                fields.get("version") instanceof Number version ? version.intValue() : 0,
                fields.get("address") instanceof String address ? address : "",
                fields.get("protocol") instanceof String protocol ? protocol.toLowerCase(Locale.ROOT) : "",
                metadata);
    }

    private static boolean isAddress(String text) {
        boolean oneWord = text.chars().noneMatch(c -> c <= ' ' || c == 0x7f || c == 0xfffd);
        return oneWord && (text.startsWith("/") || text.startsWith("@") || text.matches("(unix|vsock|hvsock)://.+"));
    }

    /** As containerd writes {@code bootstrap.json}. */
    byte[] toJson() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("version", version);
        fields.put("address", address);
        fields.put("protocol", protocol);
        if (!metadata.isEmpty()) {
            fields.put("metadata", metadata);
        }
        return JSON.std.asBytes(fields);
    }
}
