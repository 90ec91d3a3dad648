package dev.longshore.sdk.filter;

import com.google.re2j.Pattern;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.List;
import java.util.Optional;

/**
 * Takes some objects and not others. In containerd's grammar:
 *
 * <pre>
 * filter   := selector (',' selector)*             all of them
 * selector := path (('==' | '!=' | '~=') value)?    without a value: the field is there
 * path     := field ('.' field)*
 * field    := "quoted" | [A-Za-z0-9_]+
 * value    := "quoted" | anything up to ',' or a space; behind ~= also /quoted/ and |quoted|
 * </pre>
 *
 * Quoted text has Go's escapes. Regular expressions are RE2's and run in linear time, so no filter of a client can keep the
 * daemon busy.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/pkg/filters/filter.go">filters</a>
 */
@FunctionalInterface
public interface Filter {

    /** Characters of one filter. */
    int MAX_LENGTH = 64 << 10;

    /** Filters in one list. */
    int MAX_FILTERS = 1024;

    boolean matches(Fields fields);

    /**
     * An empty filter takes everything.
     *
     * @throws InvalidArgumentException if {@code text} is none; the message says where
     */
    static Filter parse(String text) {
        if (text.isEmpty()) {
            return fields -> true;
        }
        if (text.length() > MAX_LENGTH) {
            throw new InvalidArgumentException(
                    "filter of %d characters exceeds the limit of %d".formatted(text.length(), MAX_LENGTH));
        }
        List<Selector> selectors = new FilterParser(text).selectors();
        return fields -> selectors.stream().allMatch(selector -> selector.matches(fields));
    }

    /** The filter that takes what one of {@code filters} takes; everything if there are none. */
    static Filter any(List<String> filters) {
        if (filters.isEmpty()) {
            return fields -> true;
        }
        if (filters.size() > MAX_FILTERS) {
            throw new InvalidArgumentException(
                    "%d filters exceed the limit of %d".formatted(filters.size(), MAX_FILTERS));
        }
        List<Filter> parsed = filters.stream().map(Filter::parse).toList();
        return fields -> parsed.stream().anyMatch(filter -> filter.matches(fields));
    }

    /** One condition. */
    sealed interface Selector {

        boolean matches(Fields fields);
    }

    /** The field is there. */
    record Present(List<String> path) implements Selector {

        @Override
        public boolean matches(Fields fields) {
            return fields.field(path).isPresent();
        }
    }

    /** The field is there and has the value. */
    record Equal(List<String> path, String value) implements Selector {

        @Override
        public boolean matches(Fields fields) {
            return fields.field(path).equals(Optional.of(value));
        }
    }

    /** The field is not there, or has another value. A missing field counts as empty. */
    record NotEqual(List<String> path, String value) implements Selector {

        @Override
        public boolean matches(Fields fields) {
            return !fields.field(path).orElse("").equals(value);
        }
    }

    /** The expression is found in the field. A missing field counts as empty. */
    record Matching(List<String> path, Pattern pattern) implements Selector {

        @Override
        public boolean matches(Fields fields) {
            return pattern.matcher(fields.field(path).orElse("")).find();
        }
    }
}
