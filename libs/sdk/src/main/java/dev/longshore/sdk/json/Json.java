package dev.longshore.sdk.json;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.jr.ob.JSON;

/**
 * JSON as trees of maps, lists, strings, numbers and booleans. A document that has the same key twice is refused: readers
 * that disagree about which one counts are how forged manifests work.
 */
public final class Json {

    private static final int MAX_DEPTH = 100;

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
            .build();

    private static final JSON CODEC =
            JSON.builder(FACTORY).enable(JSON.Feature.PRETTY_PRINT_OUTPUT).build();

    private static final JSON COMPACT = JSON.builder().build();

    private Json() {}

    /**
     * An object, as an unmodifiable view of what was read.
     *
     * @param what names the document in the error
     * @throws InvalidArgumentException if it is not JSON, or not an object
     */
    public static Map<String, Object> object(byte[] bytes, String what) {
        return asObject(parse(bytes, what), what);
    }

    /** A list of objects. */
    public static List<Map<String, Object>> objects(byte[] bytes, String what) {
        if (!(parse(bytes, what) instanceof List<?> list)) {
            throw new InvalidArgumentException(what + " is not a list");
        }
        return list.stream().map(element -> asObject(element, what)).toList();
    }

    private static Object parse(byte[] bytes, String what) {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), bytes)) {
            Object value = CODEC.anyFrom(parser);
            if (value == null) {
                throw new InvalidArgumentException(what + " is empty");
            }
            if (parser.nextToken() != null) {
                throw new InvalidArgumentException(what + " goes on behind its end");
            }
            return value;
        } catch (JacksonException e) {
            throw new InvalidArgumentException(what + " is not JSON: " + e.getOriginalMessage(), e);
        }
    }

    @SuppressWarnings("unchecked") // keys of a JSON object are strings
    private static Map<String, Object> asObject(Object value, String what) {
        if (!(value instanceof Map<?, ?> map)) {
            throw new InvalidArgumentException(what + " is not an object");
        }
        return (Map<String, Object>) map;
    }

    /** The object at {@code key}; empty if there is none. */
    public static Map<String, Object> object(Map<String, Object> parent, String key) {
        Object value = parent.get(key);
        return value == null ? Map.of() : asObject(value, key);
    }

    /** The list of objects at {@code key}; empty if there is none. */
    public static List<Map<String, Object>> objects(Map<String, Object> parent, String key) {
        return list(parent, key).stream().map(element -> asObject(element, key)).toList();
    }

    /** The list of strings at {@code key}; empty if there is none. */
    public static List<String> strings(Map<String, Object> parent, String key) {
        return list(parent, key).stream()
                .map(element -> {
                    if (!(element instanceof String text)) {
                        throw new InvalidArgumentException(key + " is not a list of strings");
                    }
                    return text;
                })
                .toList();
    }

    private static List<?> list(Map<String, Object> parent, String key) {
        Object value = parent.get(key);
        if (value == null) {
            return List.of();
        }
        if (!(value instanceof List<?> list)) {
            throw new InvalidArgumentException(key + " is not a list");
        }
        return list;
    }

    /** The string at {@code key}; empty if there is none. */
    public static String string(Map<String, Object> parent, String key) {
        Object value = parent.get(key);
        if (value == null) {
            return "";
        }
        if (!(value instanceof String text)) {
            throw new InvalidArgumentException(key + " is not a string");
        }
        return text;
    }

    /** The whole number at {@code key}; one with a fraction, or of more than 64 bits, is none. */
    public static long number(Map<String, Object> parent, String key) {
        return switch (parent.get(key)) {
            case Integer number -> number;
            case Long number -> number;
            case null, default -> throw new InvalidArgumentException(key + " is not a number, or not a whole one");
        };
    }

    /** For a person: indented. */
    public static String pretty(Object tree) {
        return CODEC.asString(tree);
    }

    /** For a program. */
    public static byte[] bytes(Object tree) {
        return COMPACT.asBytes(tree);
    }
}
