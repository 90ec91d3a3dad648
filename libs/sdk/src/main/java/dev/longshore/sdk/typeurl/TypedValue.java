package dev.longshore.sdk.typeurl;

import java.util.Arrays;

/**
 * Bytes and the name of their type, as {@code google.protobuf.Any} carries them: a protobuf message by its full name, or
 * JSON of a type that containerd registers, e.g. {@code types.containerd.io/opencontainers/runtime-spec/1/Spec}. Kept as
 * bytes; nothing here re-encodes them.
 *
 * @param typeUrl with or without the prefix {@code type.googleapis.com/}
 * @param value not to be modified
 */
@SuppressWarnings("ArrayRecordComponent") // equality is by content, below
public record TypedValue(String typeUrl, byte[] value) {

    private static final String GOOGLE_PREFIX = "type.googleapis.com/";

    /** The type's name without protobuf's prefix, which writers may or may not send. */
    public String typeName() {
        return typeUrl.startsWith(GOOGLE_PREFIX) ? typeUrl.substring(GOOGLE_PREFIX.length()) : typeUrl;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TypedValue that && typeUrl.equals(that.typeUrl) && Arrays.equals(value, that.value);
    }

    @Override
    public int hashCode() {
        return 31 * typeUrl.hashCode() + Arrays.hashCode(value);
    }

    @Override
    public String toString() {
        return typeUrl + "[" + value.length + " bytes]";
    }
}
