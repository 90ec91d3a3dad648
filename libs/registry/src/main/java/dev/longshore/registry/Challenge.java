package dev.longshore.registry;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * One way to prove who one is, from a {@code WWW-Authenticate} header.
 *
 * @param scheme in lower case: {@code basic}, {@code bearer}
 * @param parameters names in lower case
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1">RFC 9110, 11.6.1</a>
 */
record Challenge(String scheme, Map<String, String> parameters) {

    Challenge {
        parameters = Map.copyOf(parameters);
    }

    String parameter(String name) {
        return parameters.getOrDefault(name, "");
    }

    /** Reads all challenges of a header; what cannot be read ends the list. */
    static List<Challenge> parse(String header) {
        return new Parser(header).challenges();
    }

    private static final class Parser {

        private final String text;
        private int at;

        Parser(String text) {
            this.text = text;
        }

        List<Challenge> challenges() {
            List<Challenge> challenges = new ArrayList<>();
            skip(", \t");
            while (at < text.length()) {
                String scheme = token();
                if (scheme.isEmpty()) {
                    break;
                }
                Map<String, String> parameters = new LinkedHashMap<>();
                skip(" \t");
                while (at < text.length()) {
                    int start = at;
                    String name = token();
                    skip(" \t");
                    if (name.isEmpty() || at == text.length() || text.charAt(at) != '=') {
                        at = start; // the scheme of the next challenge
                        break;
                    }
                    at++;
                    skip(" \t");
                    parameters.putIfAbsent(name.toLowerCase(Locale.ROOT), value());
                    skip(", \t");
                }
                challenges.add(new Challenge(scheme.toLowerCase(Locale.ROOT), parameters));
                skip(", \t");
            }
            return challenges;
        }

        private void skip(String characters) {
            while (at < text.length() && characters.indexOf(text.charAt(at)) >= 0) {
                at++;
            }
        }

        private String token() {
            int start = at;
            while (at < text.length() && " \t,=\"".indexOf(text.charAt(at)) < 0) {
                at++;
            }
            return text.substring(start, at);
        }

        private String value() {
            if (at == text.length() || text.charAt(at) != '"') {
                return token();
            }
            StringBuilder value = new StringBuilder();
            for (at++; at < text.length() && text.charAt(at) != '"'; at++) {
                if (text.charAt(at) == '\\' && at + 1 < text.length()) {
                    at++;
                }
                value.append(text.charAt(at));
            }
            at++;
            return value.toString();
        }
    }
}
