package dev.longshore.sdk.log;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Standard error with an object of JSON on each line: {@code time}, {@code level}, {@code logger}, {@code msg} of what was logged,
 * and {@code msg} alone of anything else, such as the lines of a stack trace.
 */
final class JsonLines extends PrintStream {

    /** As {@link Logging} has them written. */
    private static final Pattern LOGGED =
            Pattern.compile("(\\S+) (TRACE|DEBUG|INFO|WARN|ERROR) (\\S+) - (.*)", Pattern.DOTALL);

    JsonLines(PrintStream out) {
        super(out, true, StandardCharsets.UTF_8);
    }

    @Override
    public void println(String text) {
        super.println(json(Optional.ofNullable(text).orElse("null")));
    }

    @Override
    public void println(Object value) {
        println(String.valueOf(value));
    }

    static String json(String text) {
        Matcher logged = LOGGED.matcher(text);
        if (!logged.matches()) {
            return "{\"msg\":%s}".formatted(quoted(text));
        }
        return "{\"time\":%s,\"level\":%s,\"logger\":%s,\"msg\":%s}"
                .formatted(
                        quoted(logged.group(1)),
                        quoted(logged.group(2).toLowerCase(Locale.ROOT)),
                        quoted(logged.group(3)),
                        quoted(logged.group(4)));
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"', '\\' -> quoted.append('\\').append(c);
                case '\n' -> quoted.append("\\n");
                case '\t' -> quoted.append("\\t");
                case '\r' -> quoted.append("\\r");
                default -> {
                    if (c < ' ') {
                        quoted.append("\\u%04x".formatted((int) c));
                    } else {
                        quoted.append(c);
                    }
                }
            }
        }
        return quoted.append('"').toString();
    }
}
