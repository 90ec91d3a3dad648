package dev.longshore.sdk.config;

import dev.longshore.sdk.flag.Nearest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Function;
import org.tomlj.TomlArray;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/**
 * A table of a configuration. It remembers which keys were asked for: whatever else is in it, somebody wrote for
 * nothing, and {@link #unknown} says where, with the key that was probably meant. A value of the wrong kind is noted in the
 * problems that all sections of a file share, and read as missing.
 */
public final class Section {

    private final String path;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final List<ConfigProblem> problems;
    private final TreeSet<String> asked = new TreeSet<>();
    private final Map<String, Section> askedSections = new LinkedHashMap<>();

    /** @param value a {@link Section}, a list, or a scalar of TOML */
    private record Entry(Object value, String place) {}

    private Section(String path, List<ConfigProblem> problems) {
        this.path = path;
        this.problems = problems;
    }

    /** A section without anything in it. */
    public static Section empty(List<ConfigProblem> problems) {
        return new Section("", problems);
    }

    /** @param file for the places of problems */
    static Section of(TomlTable table, String file, String path, List<ConfigProblem> problems) {
        Section section = new Section(path, problems);
        for (String key : table.keySet()) {
            Object value = table.get(List.of(key));
            TomlPosition position = table.inputPositionOf(List.of(key));
            String place = position == null ? file : "%s:%d:%d".formatted(file, position.line(), position.column());
            String inner = path.isEmpty() ? key : path + "." + key;
            section.entries.put(
                    key,
                    new Entry(
                            switch (value) {
                                case TomlTable nested -> of(nested, file, inner, problems);
                                case TomlArray array -> array.toList();
                                case null -> "";
                                default -> value;
                            },
                            place));
        }
        return section;
    }

    /**
     * Adds what {@code other} has: tables are merged, lists are joined without doubles, and anything else of the other
     * takes the place of ours.
     */
    void merge(Section other) {
        other.entries.forEach((key, theirs) -> {
            Entry ours = entries.get(key);
            if (ours != null && ours.value instanceof Section section && theirs.value instanceof Section added) {
                section.merge(added);
            } else if (ours != null && ours.value instanceof List<?> list && theirs.value instanceof List<?> added) {
                List<Object> joined = new ArrayList<>(list);
                added.stream().filter(item -> !joined.contains(item)).forEach(joined::add);
                entries.put(key, new Entry(joined, theirs.place));
            } else {
                entries.put(key, theirs);
            }
        });
    }

    private <T> Optional<T> value(String key, Class<T> type, String kind) {
        asked.add(key);
        Entry entry = entries.get(key);
        if (entry == null) {
            return Optional.empty();
        }
        if (!type.isInstance(entry.value)) {
            problem(key, "must be " + kind);
            return Optional.empty();
        }
        return Optional.of(type.cast(entry.value));
    }

    public Optional<String> string(String key) {
        return value(key, String.class, "a string");
    }

    public Optional<Long> integer(String key) {
        return value(key, Long.class, "an integer");
    }

    /** An integer between the two, both included. */
    public Optional<Integer> integer(String key, int least, int most) {
        Optional<Long> value = integer(key);
        if (value.isPresent() && (value.get() < least || value.get() > most)) {
            problem(key, "must be between %d and %d, not %d".formatted(least, most, value.get()));
            return Optional.empty();
        }
        return value.map(Long::intValue);
    }

    /** An integer is taken too. */
    public Optional<Double> number(String key) {
        Entry entry = entries.get(key);
        if (entry != null && entry.value instanceof Long whole) {
            asked.add(key);
            return Optional.of(whole.doubleValue());
        }
        return value(key, Double.class, "a number");
    }

    public Optional<Boolean> bool(String key) {
        return value(key, Boolean.class, "true or false");
    }

    /** A time in Go's syntax, e.g. {@code 5s}. */
    public Optional<Duration> duration(String key) {
        return string(key).flatMap(text -> {
            Optional<Duration> duration = GoDuration.parse(text);
            if (duration.isEmpty()) {
                problem(key, "\"%s\" is no time: write e.g. 5s, 100ms or 1h30m".formatted(text));
            }
            return duration;
        });
    }

    /**
     * The string, made into something else by {@code parser}, whose exception's message says what is wrong. An empty string stands
     * for none, as containerd writes it.
     */
    public <T> Optional<T> parsed(String key, Function<String, T> parser) {
        return string(key).filter(text -> !text.isEmpty()).flatMap(text -> {
            try {
                return Optional.of(parser.apply(text));
            } catch (RuntimeException e) {
                problem(key, String.valueOf(e.getMessage()));
                return Optional.empty();
            }
        });
    }

    /** A list of strings; empty if there is none. */
    public List<String> strings(String key) {
        List<?> list = value(key, List.class, "a list of strings").orElse(List.of());
        if (!list.stream().allMatch(String.class::isInstance)) {
            problem(key, "must be a list of strings");
            return List.of();
        }
        return list.stream().map(String.class::cast).toList();
    }

    /** The table of that name; one without anything in it if there is none. */
    public Section section(String key) {
        return askedSections.computeIfAbsent(
                key,
                name -> value(name, Section.class, "a table")
                        .orElseGet(() -> new Section(path + "." + name, problems)));
    }

    /** All tables in this one, by their names, of which any are known. */
    public Map<String, Section> sections() {
        Map<String, Section> sections = new LinkedHashMap<>();
        for (String key : List.copyOf(entries.keySet())) {
            if (entries.get(key) instanceof Entry(Section section, String place)) {
                sections.put(key, section);
                asked.add(key);
                askedSections.put(key, section);
            }
        }
        return sections;
    }

    /** All strings in this table, by their names, of which any are known. */
    public Map<String, String> allStrings() {
        Map<String, String> strings = new LinkedHashMap<>();
        for (String key : List.copyOf(entries.keySet())) {
            string(key).ifPresent(text -> strings.put(key, text));
        }
        return strings;
    }

    /** Takes everything in this table, read by somebody else or by nobody, as known. */
    public void accept() {
        asked.addAll(entries.keySet());
    }

    /** Notes that the value of {@code key} is wrong. */
    public void problem(String key, String message) {
        Entry entry = entries.get(key);
        String name = path.isEmpty() ? key : path + "." + key;
        problems.add(new ConfigProblem(entry == null ? path : entry.place, name + " " + message));
    }

    /** The keys, here and below, that nobody asked for. To be called when everything was read. */
    public List<ConfigProblem> unknown() {
        List<ConfigProblem> unknown = new ArrayList<>();
        entries.forEach((key, entry) -> {
            if (!asked.contains(key)) {
                unknown.add(new ConfigProblem(entry.place, "unknown key %s%s".formatted(name(key), suggestion(key))));
            } else if (entry.value instanceof Section section && askedSections.containsKey(key)) {
                unknown.addAll(section.unknown());
            }
        });
        return unknown;
    }

    private String name(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    private String suggestion(String key) {
        return Nearest.of(key, asked)
                .map(nearest -> ": did you mean " + nearest + "?")
                .orElse("");
    }
}
