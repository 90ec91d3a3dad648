package dev.longshore.sdk.tar;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Strings that hold one byte per character: what a file name is to the kernel, comparable, hashable and compact. */
public final class ByteStrings {

    private ByteStrings() {}

    /** The byte string of {@code text} in UTF-8. */
    public static String of(String text) {
        return of(text.getBytes(StandardCharsets.UTF_8));
    }

    /** The byte string of {@code bytes}. */
    public static String of(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    /** The bytes of {@code byteString}. */
    public static byte[] bytes(String byteString) {
        return byteString.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** {@code byteString} read as UTF-8, for people; what is no UTF-8 becomes a replacement character. */
    public static String text(String byteString) {
        return new String(bytes(byteString), StandardCharsets.UTF_8);
    }

    static boolean isAscii(String byteString) {
        for (int i = 0; i < byteString.length(); i++) {
            if (byteString.charAt(i) >= 0x80) {
                return false;
            }
        }
        return true;
    }

    static boolean isUtf8(String byteString) {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes(byteString)));
            return true;
        } catch (CharacterCodingException e) {
            return false;
        }
    }
}
