package dev.longshore.sdk.filter;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.ArrayList;
import java.util.List;

/** Reads one filter, from left to right. */
final class FilterParser {

    private static final char END = '\uffff';

    private final String text;
    private int position;

    FilterParser(String text) {
        this.text = text;
    }

    List<Filter.Selector> selectors() {
        List<Filter.Selector> selectors = new ArrayList<>();
        do {
            selectors.add(selector());
            skipSpace();
        } while (accept(','));
        if (position < text.length()) {
            throw error("expected ',' or the end");
        }
        return selectors;
    }

    private Filter.Selector selector() {
        List<String> path = path();
        skipSpace();
        if (peek() == ',' || peek() == END) {
            return new Filter.Present(path);
        }
        int start = position;
        while (peek() == '=' || peek() == '!' || peek() == '~') {
            position++;
        }
        String operator = text.substring(start, position);
        skipSpace();
        return switch (operator) {
            case "==" -> new Filter.Equal(path, value(false));
            case "!=" -> new Filter.NotEqual(path, value(false));
            case "~=" -> new Filter.Matching(path, pattern(value(true)));
            default -> {
                position = start;
                throw error("expected an operator: ==, != or ~=");
            }
        };
    }

    private Pattern pattern(String expression) {
        try {
            return Pattern.compile(expression);
        } catch (PatternSyntaxException e) {
            throw new InvalidArgumentException(
                    "filter %s: bad regular expression: %s".formatted(shown(), e.getMessage()), e);
        }
    }

    private List<String> path() {
        List<String> path = new ArrayList<>();
        do {
            path.add(field());
        } while (accept('.'));
        return path;
    }

    private String field() {
        skipSpace();
        if (peek() == '"') {
            return quoted();
        }
        int start = position;
        while (isFieldCharacter(peek())) {
            position++;
        }
        if (start == position) {
            throw error("expected a field name");
        }
        return text.substring(start, position);
    }

    private String value(boolean alternativeQuotes) {
        char quote = peek();
        if (quote == '"' || quote == '/' || quote == '|') {
            if (quote != '"' && !alternativeQuotes) {
                throw error("this quote is for ~= only");
            }
            return quoted();
        }
        int start = position;
        while (peek() != ',' && peek() != END && !Character.isWhitespace(peek()) && !Character.isISOControl(peek())) {
            position++;
        }
        if (start == position) {
            throw error("expected a value");
        }
        return text.substring(start, position);
    }

    /** A string with Go's escapes, in the quotes that it begins with. */
    private String quoted() {
        char quote = text.charAt(position++);
        StringBuilder value = new StringBuilder();
        while (true) {
            char c = peek();
            if (c == END || c == '\n') {
                throw error("the quoted text has no end");
            }
            position++;
            if (c == quote) {
                return value.toString();
            }
            if (c == '\\') {
                escape(quote, value);
            } else {
                value.append(c);
            }
        }
    }

    private void escape(char quote, StringBuilder value) {
        char c = peek();
        position++;
        switch (c) {
            case 'a' -> value.append('\u0007');
            case 'b' -> value.append('\b');
            case 'f' -> value.append('\f');
            case 'n' -> value.append('\n');
            case 'r' -> value.append('\r');
            case 't' -> value.append('\t');
            case 'v' -> value.append('\u000b');
            case '\\' -> value.append('\\');
            case 'x' -> value.append((char) digits(16, 2));
            case 'u' -> value.append((char) digits(16, 4));
            case 'U' -> {
                int codePoint = digits(16, 8);
                if (!Character.isValidCodePoint(codePoint)) {
                    throw error("there is no such character");
                }
                value.appendCodePoint(codePoint);
            }
            case '0', '1', '2', '3', '4', '5', '6', '7' -> {
                position--;
                value.append((char) digits(8, 3));
            }
            default -> {
                if (c != quote) {
                    position--;
                    throw error("there is no such escape");
                }
                value.append(c);
            }
        }
    }

    private int digits(int base, int count) {
        long value = 0;
        for (int i = 0; i < count; i++) {
            int digit = Character.digit(peek(), base);
            if (digit < 0 || peek() > 'f') {
                throw error("expected %d digits of base %d".formatted(count, base));
            }
            value = value * base + digit;
            position++;
        }
        return (int) Math.min(value, Integer.MAX_VALUE);
    }

    private static boolean isFieldCharacter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }

    private void skipSpace() {
        while (Character.isWhitespace(peek())) {
            position++;
        }
    }

    private boolean accept(char c) {
        if (peek() != c) {
            return false;
        }
        position++;
        return true;
    }

    private char peek() {
        return position < text.length() ? text.charAt(position) : END;
    }

    private InvalidArgumentException error(String message) {
        return new InvalidArgumentException("filter %s: %s at character %d".formatted(shown(), message, position + 1));
    }

    private String shown() {
        return text.length() <= 100 ? text : text.substring(0, 100) + "...";
    }
}
