package dev.longshore.sdk.json;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.exc.JacksonIOException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.sym.PropertyNameMatcher;
import tools.jackson.core.util.Named;

/**
 * A document that is too big for a tree, read from front to back in memory that does not grow with it. The caller asks for
 * what it expects next; what is there instead is an error. For one thread.
 *
 * <pre>{@code
 * reader.beginObject();
 * for (int key = reader.nextKey(KEYS); key != JsonReader.END; key = reader.nextKey(KEYS)) {
 *     switch (key) {
 *         case NAME -> name = reader.string();
 *         default -> reader.skip();
 *     }
 * }
 * reader.end();
 * }</pre>
 *
 * <p>Whether a key may be there twice is for the caller to say: what remembers the keys of every object of a large document costs more
 * than reading it. All methods throw an {@link InvalidArgumentException} where the document is no JSON or is not of the shape asked for,
 * and an {@link IOException} where its bytes cannot be read.
 */
public final class JsonReader implements AutoCloseable {

    /** Instead of a key's number: there is no further one. */
    public static final int END = PropertyNameMatcher.MATCH_END_OBJECT;

    /** Instead of a key's number: it is none of those that were asked for. */
    public static final int OTHER = PropertyNameMatcher.MATCH_UNKNOWN_NAME;

    private static final int MAX_DEPTH = 100;
    private static final int MAX_KEY_CHARS = 4096;

    /** The keys that a kind of object may have, numbered from 0: found by the document's bytes, without a string for each. */
    public static final class Keys {

        private final PropertyNameMatcher matcher;

        private Keys(List<String> names) {
            matcher = new JsonFactory()
                    .constructNameMatcher(names.stream().map(Named::fromString).toList(), false);
        }

        public static Keys of(List<String> names) {
            return new Keys(names);
        }
    }

    private final JsonParser parser;
    private final int maxTextBytes;
    private final String what;

    /** The last string, which is often the next one, too: the digest of a file and that of its only chunk. */
    private String lastText = "";

    private char[] lastChars = new char[128];

    /**
     * Closing the reader closes {@code in}.
     *
     * @param maxTextBytes of one string; a longer one is refused before memory is taken for it
     * @param what names the document in errors
     * @throws IOException if the first bytes cannot be read
     */
    public JsonReader(InputStream in, int maxTextBytes, String what) throws IOException {
        this.maxTextBytes = maxTextBytes;
        this.what = what;
        JsonFactory factory = JsonFactory.builder()
                // JSON is UTF-8 (RFC 8259, 8.1): what looks like UTF-16 here is something else to other readers.
                .disable(TokenStreamFactory.Feature.CHARSET_DETECTION)
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(MAX_DEPTH)
                        .maxNameLength(MAX_KEY_CHARS)
                        .maxStringLength(maxTextBytes)
                        .build())
                .build();
        try {
            this.parser = factory.createParser(ObjectReadContext.empty(), in);
        } catch (JacksonIOException e) {
            throw e.getCause();
        }
    }

    /** The next token, {@code NOT_AVAILABLE} at the document's end. */
    private JsonToken token() throws IOException {
        try {
            JsonToken token = parser.nextToken();
            return token == null ? JsonToken.NOT_AVAILABLE : token;
        } catch (JacksonException e) {
            throw failed(e);
        }
    }

    /** To be thrown; an {@link IOException} if the bytes could not be read, which it throws itself. */
    private InvalidArgumentException failed(JacksonException e) throws IOException {
        if (e instanceof JacksonIOException reading) {
            throw reading.getCause();
        }
        return new InvalidArgumentException(
                "%s is not JSON as it should be, at byte %d: %s"
                        .formatted(what, parser.currentLocation().getByteOffset(), e.getOriginalMessage()),
                e);
    }

    private InvalidArgumentException wrong(String expected, JsonToken found) {
        return new InvalidArgumentException("%s has %s at byte %d, where %s should be"
                .formatted(what, found, parser.currentLocation().getByteOffset(), expected));
    }

    private void expect(JsonToken token, String expected) throws IOException {
        JsonToken found = token();
        if (found != token) {
            throw wrong(expected, found);
        }
    }

    /** Enters an object. */
    public void beginObject() throws IOException {
        expect(JsonToken.START_OBJECT, "an object");
    }

    /**
     * The number of the object's next key among {@code keys}, {@link #OTHER} if it is none of them, or {@link #END} behind the last one, when
     * the object has been left.
     */
    public int nextKey(Keys keys) throws IOException {
        int key;
        try {
            key = parser.nextNameMatch(keys.matcher);
        } catch (JacksonException e) {
            throw failed(e);
        }
        if (key == PropertyNameMatcher.MATCH_ODD_TOKEN) {
            JsonToken found = parser.currentToken();
            throw wrong("a key", found == null ? JsonToken.NOT_AVAILABLE : found);
        }
        return key;
    }

    /** The next key of the object; empty behind its last one, when the object has been left. */
    public Optional<String> nextKey() throws IOException {
        JsonToken found = token();
        if (found == JsonToken.END_OBJECT) {
            return Optional.empty();
        }
        if (found != JsonToken.PROPERTY_NAME) {
            throw wrong("a key", found);
        }
        return Optional.of(parser.currentName());
    }

    /** Enters a list of objects; false if it is null, which is an empty one. */
    public boolean beginList() throws IOException {
        JsonToken found = token();
        if (found != JsonToken.START_ARRAY && found != JsonToken.VALUE_NULL) {
            throw wrong("a list", found);
        }
        return found == JsonToken.START_ARRAY;
    }

    /** Enters the list's next object; false behind the last one, when the list has been left. */
    public boolean nextObject() throws IOException {
        JsonToken found = token();
        if (found != JsonToken.START_OBJECT && found != JsonToken.END_ARRAY) {
            throw wrong("an object", found);
        }
        return found == JsonToken.START_OBJECT;
    }

    /** Enters the object that is a key's value; false if it is null. */
    public boolean beginOptionalObject() throws IOException {
        JsonToken found = token();
        if (found != JsonToken.START_OBJECT && found != JsonToken.VALUE_NULL) {
            throw wrong("an object", found);
        }
        return found == JsonToken.START_OBJECT;
    }

    /** A string; empty if it is null. */
    public String string() throws IOException {
        JsonToken found = token();
        if (found == JsonToken.VALUE_NULL) {
            return "";
        }
        if (found != JsonToken.VALUE_STRING) {
            throw wrong("a string", found);
        }
        try {
            return text(parser.getStringCharacters(), parser.getStringOffset(), parser.getStringLength());
        } catch (JacksonException e) {
            throw failed(e);
        }
    }

    private String text(char[] chars, int offset, int length) {
        // Jackson looks at the limit when it takes more memory for a string, and not at all while it fits what there
        // is.
        if (length > maxTextBytes) {
            throw new InvalidArgumentException("%s has a string of %d characters at byte %d, the limit is %d"
                    .formatted(what, length, parser.currentLocation().getByteOffset(), maxTextBytes));
        }
        if (length == lastText.length() && Arrays.equals(chars, offset, offset + length, lastChars, 0, length)) {
            return lastText;
        }
        if (length > lastChars.length) {
            return new String(chars, offset, length);
        }
        System.arraycopy(chars, offset, lastChars, 0, length);
        lastText = new String(chars, offset, length);
        return lastText;
    }

    /** A whole number of 64 bits; 0 if it is null. */
    public long number() throws IOException {
        JsonToken found = token();
        if (found == JsonToken.VALUE_NULL) {
            return 0;
        }
        if (found != JsonToken.VALUE_NUMBER_INT) {
            throw wrong("a whole number", found);
        }
        try {
            return parser.getLongValue();
        } catch (JacksonException e) {
            throw failed(e);
        }
    }

    /** Bytes in base64; none if it is null. */
    public byte[] base64() throws IOException {
        JsonToken found = token();
        if (found == JsonToken.VALUE_NULL) {
            return new byte[0];
        }
        if (found != JsonToken.VALUE_STRING) {
            throw wrong("base64", found);
        }
        try {
            return parser.getBinaryValue();
        } catch (JacksonException e) {
            throw failed(e);
        }
    }

    /** Passes over a value, whatever it is. */
    public void skip() throws IOException {
        JsonToken found = token();
        if (found == JsonToken.NOT_AVAILABLE) {
            throw wrong("a value", found);
        }
        try {
            parser.skipChildren();
        } catch (JacksonException e) {
            throw failed(e);
        }
    }

    /** Checks that nothing is behind the document. */
    public void end() throws IOException {
        JsonToken found = token();
        if (found != JsonToken.NOT_AVAILABLE) {
            throw wrong("its end", found);
        }
    }

    @Override
    public void close() throws IOException {
        try {
            parser.close();
        } catch (JacksonException e) {
            throw failed(e);
        }
    }
}
