package dev.longshore.ocicrypt;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Optional;

/**
 * The first block of a PEM file.
 *
 * @param label as {@code PRIVATE KEY}
 * @param headers the lines before its bytes, as of encrypted keys of old
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Pem(String label, String headers, byte[] der) {

    private static final String BEGIN = "-----BEGIN ";
    private static final String DASHES = "-----";

    static Optional<Pem> parse(byte[] file) {
        String text = new String(file, StandardCharsets.ISO_8859_1);
        int begin = text.indexOf(BEGIN);
        if (begin < 0) {
            return Optional.empty();
        }
        int labelEnd = text.indexOf(DASHES, begin + BEGIN.length());
        if (labelEnd < 0) {
            return Optional.empty();
        }
        String label = text.substring(begin + BEGIN.length(), labelEnd);
        int end = text.indexOf("-----END " + label + DASHES, labelEnd);
        if (end < 0) {
            return Optional.empty();
        }
        String body = text.substring(labelEnd + DASHES.length(), end);
        int blank = body.contains(": ") ? Math.max(body.indexOf("\n\n"), body.indexOf("\r\n\r\n")) : -1;
        String headers = blank < 0 ? "" : body.substring(0, blank).strip();
        try {
            return Optional.of(
                    new Pem(label, headers, Base64.getMimeDecoder().decode(blank < 0 ? body : body.substring(blank))));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }
}
