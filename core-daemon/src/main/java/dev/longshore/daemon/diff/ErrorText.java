package dev.longshore.daemon.diff;

import java.nio.charset.StandardCharsets;

/** The end of what a program says on standard error, where the reason is; the rest is dropped as it comes. */
final class ErrorText {

    /** Bytes that are kept. */
    static final int KEPT = 4 << 10;

    private final byte[] ring = new byte[KEPT];
    private long total;

    synchronized void add(byte[] bytes, int count) {
        for (int i = 0; i < count; i++) {
            ring[(int) (total++ % KEPT)] = bytes[i];
        }
    }

    void add(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        add(bytes, bytes.length);
    }

    @Override
    public synchronized String toString() {
        int length = (int) Math.min(total, KEPT);
        byte[] text = new byte[length];
        for (int i = 0; i < length; i++) {
            text[i] = ring[(int) ((total - length + i) % KEPT)];
        }
        String said = new String(text, StandardCharsets.UTF_8).strip();
        if (said.isEmpty()) {
            return "nothing";
        }
        return total > KEPT ? "(%d bytes before) %s".formatted(total - KEPT, said) : said;
    }
}
