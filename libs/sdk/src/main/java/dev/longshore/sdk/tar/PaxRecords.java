package dev.longshore.sdk.tar;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;

/** The records of PAX extended headers, {@code "%d %s=%s\n"}: POSIX pax, "pax Header Block". */
final class PaxRecords {

    static final String SPARSE_MAP = "GNU.sparse.map";

    private PaxRecords() {}

    /**
     * Adds the records of {@code header} to {@code into}. The repeated offset and numbytes records of GNU sparse 0.0 are
     * joined to the map record of 0.1.
     */
    static void parse(byte[] header, long offset, Map<String, String> into) throws TarFormatException {
        StringBuilder sparse = new StringBuilder();
        boolean wantOffset = true;
        int at = 0;
        while (at < header.length) {
            int start = at;
            long length = 0;
            while (at < header.length && header[at] >= '0' && header[at] <= '9' && length <= header.length) {
                length = length * 10 + header[at] - '0';
                at++;
            }
            int end = (int) Math.min(start + length, Integer.MAX_VALUE);
            if (at == start || end > header.length || at + 2 > end || header[at] != ' ' || header[end - 1] != '\n') {
                throw new TarFormatException(offset, "a PAX record is not of the form \"length key=value\"");
            }
            int equals = ++at;
            while (equals < end && header[equals] != '=') {
                equals++;
            }
            if (equals >= end || equals == at) {
                throw new TarFormatException(offset, "a PAX record has no key");
            }
            String key = new String(header, at, equals - at, StandardCharsets.ISO_8859_1);
            String value = new String(header, equals + 1, end - equals - 2, StandardCharsets.ISO_8859_1);
            at = end;
            if (key.indexOf(0) >= 0 || (!key.startsWith("SCHILY.xattr.") && value.indexOf(0) >= 0)) {
                throw new TarFormatException(offset, "a PAX record has a NUL byte");
            }
            if (key.equals("GNU.sparse.offset") || key.equals("GNU.sparse.numbytes")) {
                if (key.equals("GNU.sparse.offset") != wantOffset) {
                    throw new TarFormatException(offset, "the sparse map's offsets and lengths do not alternate");
                }
                wantOffset = !wantOffset;
                sparse.append(sparse.isEmpty() ? "" : ",").append(value);
            } else {
                into.put(key, value);
            }
        }
        if (!sparse.isEmpty()) {
            into.put(SPARSE_MAP, sparse.toString());
        }
    }

    /** A decimal number that is not negative. */
    static long number(String value, long offset) throws TarFormatException {
        if (value.isEmpty() || value.length() > 19) {
            throw new TarFormatException(offset, "a PAX number is empty or too long");
        }
        long number = 0;
        for (int i = 0; i < value.length(); i++) {
            int digit = value.charAt(i) - '0';
            if (digit < 0 || digit > 9 || number > (Long.MAX_VALUE - digit) / 10) {
                throw new TarFormatException(offset, "a PAX number is not decimal or does not fit 63 bits");
            }
            number = number * 10 + digit;
        }
        return number;
    }

    /** Seconds since 1970 with any number of decimals; a time that {@link Instant} cannot hold becomes its bound. */
    static Instant time(String value, long offset) throws TarFormatException {
        boolean negative = value.startsWith("-");
        int dot = value.indexOf('.');
        String whole = value.substring(negative ? 1 : 0, dot < 0 ? value.length() : dot);
        String fraction = dot < 0 ? "" : value.substring(dot + 1);
        long seconds = whole.isEmpty() && !fraction.isEmpty() ? 0 : number(whole, offset);
        long nanos = 0;
        for (int i = 0; i < fraction.length(); i++) {
            int digit = fraction.charAt(i) - '0';
            if (digit < 0 || digit > 9) {
                throw new TarFormatException(offset, "a PAX time is not decimal");
            }
            if (i < 9) {
                nanos = nanos * 10 + digit;
            }
        }
        for (int i = fraction.length(); i < 9; i++) {
            nanos *= 10;
        }
        return instant(negative ? -seconds : seconds, negative ? -nanos : nanos);
    }

    static Instant instant(long seconds, long nanos) {
        if (seconds >= Instant.MAX.getEpochSecond()) {
            return Instant.MAX;
        }
        return seconds <= Instant.MIN.getEpochSecond() ? Instant.MIN : Instant.ofEpochSecond(seconds, nanos);
    }

    /** Seconds with as many decimals as are needed. */
    static String format(Instant time) {
        long seconds = time.getEpochSecond();
        int nanos = time.getNano();
        if (nanos == 0) {
            return Long.toString(seconds);
        }
        String sign = "";
        if (seconds < 0) {
            sign = "-";
            seconds = -(seconds + 1);
            nanos = 1_000_000_000 - nanos;
        }
        String digits = "%09d".formatted(nanos).replaceFirst("0+$", "");
        return sign + seconds + "." + digits;
    }

    /** One record; its length counts its own digits. */
    static String format(String key, String value) {
        int rest = key.length() + value.length() + 3;
        int length = rest + Integer.toString(rest).length();
        if (rest + Integer.toString(length).length() != length) {
            length = rest + Integer.toString(length).length();
        }
        return length + " " + key + "=" + value + "\n";
    }
}
