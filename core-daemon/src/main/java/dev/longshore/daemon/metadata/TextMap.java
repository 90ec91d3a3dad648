package dev.longshore.daemon.metadata;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * Labels as a column: a line {@code key=value} each, sorted, with {@code \\}, {@code \n} and, in keys, {@code \=} escaped. A label
 * without a value is none, as in containerd. A person can read it with {@code sqlite3}, and reading it back costs no parser.
 */
final class TextMap {

    private TextMap() {}

    static String write(Map<String, String> map) {
        StringBuilder text = new StringBuilder();
        new TreeMap<>(map).forEach((key, value) -> {
            if (value.isEmpty()) {
                return;
            }
            escape(key, true, text);
            text.append('=');
            escape(value, false, text);
            text.append('\n');
        });
        return text.toString();
    }

    private static void escape(String part, boolean key, StringBuilder text) {
        for (int i = 0; i < part.length(); i++) {
            char c = part.charAt(i);
            if (c == '\n') {
                text.append("\\n");
            } else {
                if (c == '\\' || (key && c == '=')) {
                    text.append('\\');
                }
                text.append(c);
            }
        }
    }

    static Map<String, String> read(String text) {
        Map<String, String> map = new LinkedHashMap<>();
        StringBuilder part = new StringBuilder();
        String key = "";
        boolean inKey = true;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '\\' && i + 1 < text.length()) {
                char escaped = text.charAt(++i);
                part.append(escaped == 'n' ? '\n' : escaped);
            } else if (c == '=' && inKey) {
                key = part.toString();
                part.setLength(0);
                inKey = false;
            } else if (c == '\n') {
                map.put(key, part.toString());
                part.setLength(0);
                inKey = true;
            } else {
                part.append(c);
            }
        }
        return map;
    }
}
