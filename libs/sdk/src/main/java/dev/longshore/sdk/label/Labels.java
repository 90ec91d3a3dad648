package dev.longshore.sdk.label;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The limit on labels. */
public final class Labels {

    /** Bytes of a key and its value together, in UTF-8. */
    public static final int MAX_SIZE = 4096;

    private Labels() {}

    /**
     * Returns an unmodifiable copy of {@code labels}.
     *
     * @throws InvalidArgumentException if one of them is over {@link #MAX_SIZE}
     */
    public static Map<String, String> check(Map<String, String> labels) {
        labels.forEach(Labels::check);
        return Map.copyOf(labels);
    }

    /**
     * The labels that an update leaves.
     *
     * @param current the labels so far
     * @param wanted the labels of the request
     * @param paths {@code labels} or {@code labels.<key>}, whose key may have dots; empty for all. Where a path names a
     *     key, an empty or missing value deletes it
     * @throws InvalidArgumentException if a path is none of those, or a label is too big
     */
    public static Map<String, String> update(
            Map<String, String> current, Map<String, String> wanted, Collection<String> paths) {
        Map<String, String> result = new HashMap<>(current);
        for (String path : paths.isEmpty() ? List.of("labels") : paths) {
            if (path.equals("labels")) {
                result.clear();
                result.putAll(wanted);
            } else if (path.startsWith("labels.")) {
                String key = path.substring("labels.".length());
                result.put(key, wanted.getOrDefault(key, ""));
            } else {
                throw new InvalidArgumentException("field %s cannot be updated: only labels can".formatted(path));
            }
        }
        result.values().removeIf(String::isEmpty);
        return check(result);
    }

    /** @throws InvalidArgumentException if key and value together are over {@link #MAX_SIZE} */
    public static void check(String key, String value) {
        int size = key.getBytes(StandardCharsets.UTF_8).length + value.getBytes(StandardCharsets.UTF_8).length;
        if (size > MAX_SIZE) {
            throw new InvalidArgumentException(
                    "label key and value length (%d bytes) greater than maximum size (%d bytes), key: %.64s"
                            .formatted(size, MAX_SIZE, key));
        }
    }
}
