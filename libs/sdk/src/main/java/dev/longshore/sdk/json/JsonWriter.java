package dev.longshore.sdk.json;

import java.io.IOException;
import java.io.OutputStream;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.exc.JacksonIOException;
import tools.jackson.core.json.JsonFactory;

/**
 * Writes a document that is too big for a tree, from front to back and without blanks: what {@link JsonReader} reads. For one
 * thread.
 */
public final class JsonWriter implements AutoCloseable {

    private final JsonGenerator generator;

    /** Closing the writer closes {@code out}. */
    public JsonWriter(OutputStream out) {
        generator = JsonFactory.builder().build().createGenerator(ObjectWriteContext.empty(), out);
    }

    @FunctionalInterface
    private interface Step {
        JsonGenerator put();
    }

    private JsonWriter putting(Step step) throws IOException {
        try {
            step.put();
            return this;
        } catch (JacksonIOException e) {
            throw e.getCause();
        } catch (JacksonException e) {
            throw new IllegalStateException("calls are out of order", e);
        }
    }

    public JsonWriter beginObject() throws IOException {
        return putting(generator::writeStartObject);
    }

    public JsonWriter endObject() throws IOException {
        return putting(generator::writeEndObject);
    }

    /** Begins the list that is the value of {@code key}. */
    public JsonWriter beginList(String key) throws IOException {
        return putting(() -> generator.writeName(key).writeStartArray());
    }

    public JsonWriter endList() throws IOException {
        return putting(generator::writeEndArray);
    }

    /** Begins the object that is the value of {@code key}. */
    public JsonWriter beginObject(String key) throws IOException {
        return putting(() -> generator.writeName(key).writeStartObject());
    }

    public JsonWriter string(String key, String value) throws IOException {
        return putting(() -> generator.writeName(key).writeString(value));
    }

    public JsonWriter number(String key, long value) throws IOException {
        return putting(() -> generator.writeName(key).writeNumber(value));
    }

    /** In base64. */
    public JsonWriter bytes(String key, byte[] value) throws IOException {
        return putting(() -> generator.writeName(key).writeBinary(value));
    }

    @Override
    public void close() throws IOException {
        putting(() -> {
            generator.close();
            return generator;
        });
    }
}
