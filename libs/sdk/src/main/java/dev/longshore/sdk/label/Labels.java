package dev.longshore.sdk.label;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.charset.StandardCharsets;
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
