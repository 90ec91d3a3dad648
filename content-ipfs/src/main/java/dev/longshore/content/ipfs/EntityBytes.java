package dev.longshore.content.ipfs;

import java.util.regex.Pattern;

/**
 * A part of a file, as a client of a gateway asks for it: {@code FROM:TO}, both included, where a negative number counts from the end
 * and {@code *} is the end.
 *
 * @param from the first byte
 * @param to behind the last byte
 * @see <a href="https://specs.ipfs.tech/http-gateways/trustless-gateway/#entity-bytes-request-query-parameter">trustless gateways</a>
 */
record EntityBytes(long from, long to) {

    static final EntityBytes ALL = new EntityBytes(0, Long.MAX_VALUE);

    /** Of 18 digits at the most, which a long can hold. */
    private static final Pattern FORM = Pattern.compile("-?\\d{1,18}:(\\*|-?\\d{1,18})");

    static boolean isValid(String text) {
        return FORM.matcher(text).matches();
    }

    /**
     * @param text {@link #isValid valid}
     * @param size bytes of the file
     */
    static EntityBytes of(String text, long size) {
        int colon = text.indexOf(':');
        long from = position(text.substring(0, colon), size);
        String last = text.substring(colon + 1);
        return new EntityBytes(from, last.equals("*") ? size : position(last, size) + 1);
    }

    private static long position(String text, long size) {
        long number = Long.parseLong(text);
        return text.startsWith("-") ? Math.max(0, size + number) : number;
    }
}
