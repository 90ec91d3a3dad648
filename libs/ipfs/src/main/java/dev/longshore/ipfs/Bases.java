package dev.longshore.ipfs;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.Arrays;

/**
 * The texts of bytes that CIDs are written in.
 *
 * @see <a href="https://github.com/multiformats/multibase">multibase</a>
 */
final class Bases {

    private static final String BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
    private static final String BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

    private Bases() {}

    /** Without padding. */
    static String base32(byte[] bytes) {
        StringBuilder text = new StringBuilder(bytes.length * 8 / 5 + 1);
        int bits = 0;
        int count = 0;
        for (byte b : bytes) {
            bits = bits << 8 | (b & 0xff);
            count += 8;
            while (count >= 5) {
                count -= 5;
                text.append(BASE32.charAt((bits >>> count) & 31));
            }
            bits &= (1 << count) - 1;
        }
        if (count > 0) {
            text.append(BASE32.charAt((bits << (5 - count)) & 31));
        }
        return text.toString();
    }

    /** The one text of {@code bytes} only: bits that stand for nothing must be zero. */
    static byte[] fromBase32(String text) {
        byte[] bytes = new byte[text.length() * 5 / 8];
        int bits = 0;
        int count = 0;
        int size = 0;
        for (int i = 0; i < text.length(); i++) {
            bits = bits << 5 | digit(BASE32, text.charAt(i), "base32");
            count += 5;
            if (count >= 8) {
                count -= 8;
                bytes[size++] = (byte) (bits >>> count);
            }
            bits &= (1 << count) - 1;
        }
        if (bits != 0 || count >= 5) {
            throw new InvalidArgumentException("base32 text of a CID is cut off");
        }
        return bytes;
    }

    static String base58(byte[] bytes) {
        int zeros = 0;
        while (zeros < bytes.length && bytes[zeros] == 0) {
            zeros++;
        }
        byte[] rest = Arrays.copyOfRange(bytes, zeros, bytes.length);
        StringBuilder text = new StringBuilder();
        int start = 0;
        while (start < rest.length) {
            int remainder = 0;
            for (int i = start; i < rest.length; i++) {
                int value = remainder << 8 | (rest[i] & 0xff);
                rest[i] = (byte) (value / 58);
                remainder = value % 58;
            }
            text.append(BASE58.charAt(remainder));
            while (start < rest.length && rest[start] == 0) {
                start++;
            }
        }
        return "1".repeat(zeros) + text.reverse();
    }

    /** Time grows with the square of the length, which the caller limits. */
    static byte[] fromBase58(String text) {
        int zeros = 0;
        while (zeros < text.length() && text.charAt(zeros) == '1') {
            zeros++;
        }
        byte[] bytes = new byte[text.length()];
        int size = 0; // bytes at the end of the array
        for (int i = zeros; i < text.length(); i++) {
            int carry = digit(BASE58, text.charAt(i), "base58");
            for (int at = bytes.length - 1; at >= bytes.length - size || carry != 0; at--) {
                carry += (bytes[at] & 0xff) * 58;
                bytes[at] = (byte) carry;
                carry >>>= 8;
                size = Math.max(size, bytes.length - at);
            }
        }
        byte[] result = new byte[zeros + size];
        System.arraycopy(bytes, bytes.length - size, result, zeros, size);
        return result;
    }

    private static int digit(String alphabet, char c, String name) {
        int digit = alphabet.indexOf(c);
        if (digit < 0) {
            throw new InvalidArgumentException("character '\\u%04x' of a CID is no %s".formatted((int) c, name));
        }
        return digit;
    }
}
