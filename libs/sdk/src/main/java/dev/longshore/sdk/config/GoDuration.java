package dev.longshore.sdk.config;

import java.time.Duration;
import java.util.Optional;

/** Durations as Go writes them: {@code 1h30m}, {@code 2.5s}, {@code 100ms}, {@code 0}. */
public final class GoDuration {

    private GoDuration() {}

    /** The duration; empty if {@code text} is none, or is longer than nanoseconds in a long can say. */
    public static Optional<Duration> parse(String text) {
        boolean negative = text.startsWith("-");
        int position = negative || text.startsWith("+") ? 1 : 0;
        if (text.substring(position).equals("0")) {
            return Optional.of(Duration.ZERO);
        }
        if (position == text.length()) {
            return Optional.empty();
        }
        double nanos = 0;
        while (position < text.length()) {
            int start = position;
            while (position < text.length() && (isDigit(text.charAt(position)) || text.charAt(position) == '.')) {
                position++;
            }
            int unitStart = position;
            while (position < text.length() && !isDigit(text.charAt(position)) && text.charAt(position) != '.') {
                position++;
            }
            long unit = unit(text.substring(unitStart, position));
            if (unit == 0 || !text.substring(start, unitStart).matches("[0-9]+\\.?[0-9]*|\\.[0-9]+")) {
                return Optional.empty();
            }
            nanos += Double.parseDouble(text.substring(start, unitStart)) * unit;
        }
        if (nanos >= Long.MAX_VALUE) {
            return Optional.empty();
        }
        return Optional.of(Duration.ofNanos(negative ? -(long) nanos : (long) nanos));
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    /** Nanoseconds; 0 for no unit. */
    private static long unit(String name) {
        return switch (name) {
            case "ns" -> 1;
            case "us", "µs", "μs" -> 1_000;
            case "ms" -> 1_000_000;
            case "s" -> 1_000_000_000;
            case "m" -> 60_000_000_000L;
            case "h" -> 3_600_000_000_000L;
            default -> 0;
        };
    }
}
