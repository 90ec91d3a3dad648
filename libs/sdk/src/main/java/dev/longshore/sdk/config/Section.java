package dev.longshore.sdk.config;

import dev.longshore.sdk.flag.Nearest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.tomlj.TomlArray;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/**
 * A table of a configuration. It remembers which keys were asked for: whatever else is in it, somebody wrote for
 * nothing, and {@link #unknown} says where, with the key that was probably meant. A value of the wrong kind is noted in the
 * problems that all sections of a file share, and read as missing.
 */
public final class Section {

    private static final Comparator<@Nullable TomlPosition> AS_IN_THE_FILE =
            Comparator.nullsFirst(Comparator.comparingInt(TomlPosition::line).thenComparingInt(TomlPosition::column));

    private final String path;

    /** Of the table's header; for a table that is not there, of what it would be in. */
    private final String place;

    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final List<ConfigProblem> problems;
    private final TreeSet<String> asked = new TreeSet<>();
    private final Map<String, Section> askedSections = new LinkedHashMap<>();

    /** @param value a {@link Section}, a list, or a scalar of TOML */
    private record Entry(Object value, String place) {}

    /** What becomes of a value that a later file has too. */
    public enum Merge {
        /** Lists are joined without doubles; of scalars the later one counts unless it is empty, 0 or false. */
        JOIN,
        /** The later value counts, whatever it is. */
        REPLACE,
        /** The tables in this one are not merged: a later one takes the place of the whole. */
        REPLACE_TABLES
    }

    private Section(String path, String place, List<ConfigProblem> problems) {
        this.path = path;
        this.place = place;
        this.problems = problems;
    }

    /**
     * A section without anything in it.
     *
     * @param place for the problem that something is missing in it
     */
    public static Section empty(String place, List<ConfigProblem> problems) {
        return new Section("", place, problems);
    }

    /** @param file for the places of problems */
    static Section of(TomlTable table, String file, List<ConfigProblem> problems) {
        return of(table, file, "", file + ":1:1", problems);
    }

    private static Section of(
            TomlTable table, String file, String path, String tablePlace, List<ConfigProblem> problems) {
        Section section = new Section(path, tablePlace, problems);
        // As they stand in the file: the order of hosts in a hosts.toml says which one is asked first.
        List<String> keys = new ArrayList<>(table.keySet());
        keys.sort(Comparator.comparing(key -> table.inputPositionOf(List.of(key)), AS_IN_THE_FILE));
        for (String key : keys) {
            Object value = table.get(List.of(key));
            TomlPosition position = table.inputPositionOf(List.of(key));
            String place = position == null ? file : "%s:%d:%d".formatted(file, position.line(), position.column());
            section.entries.put(
                    key,
                    new Entry(
                            switch (value) {
                                case TomlTable nested -> of(nested, file, section.name(key), place, problems);
                                case TomlArray array -> array.toList();
                                case null -> "";
                                default -> value;
                            },
                            place));
        }
        return section;
    }

    /**
     * Adds what {@code other}, a later file, has.
     *
     * @param rules for the tables directly in this one, by their names; {@link Merge#JOIN} for the others and for this one
     * @param replaced told of tables that take the place of others, which may be meant or a mistake
     */
    void merge(Section other, Map<String, Merge> rules, List<ConfigProblem> replaced) {
        other.entries.forEach((key, theirs) -> merge(key, theirs, rules.getOrDefault(key, Merge.JOIN), replaced));
    }

    private void merge(String key, Entry theirs, Merge rule, List<ConfigProblem> replaced) {
        Entry ours = entries.get(key);
        if (ours == null) {
            entries.put(key, theirs);
        } else if (ours.value instanceof Section section && theirs.value instanceof Section added) {
            added.entries.forEach((name, value) -> {
                if (rule == Merge.REPLACE_TABLES) {
                    Entry before = section.entries.put(name, value);
                    if (before != null && before.value instanceof Section) {
                        replaced.add(new ConfigProblem(
                                value.place,
                                "%s takes the place of the one at %s".formatted(section.name(name), before.place)));
                    }
                } else {
                    section.merge(name, value, rule, replaced);
                }
            });
        } else if (rule == Merge.JOIN && ours.value instanceof List<?> list && theirs.value instanceof List<?> added) {
            List<Object> joined = new ArrayList<>(list);
            added.stream().filter(item -> !joined.contains(item)).forEach(joined::add);
            entries.put(key, new Entry(joined, theirs.place));
        } else if (rule != Merge.JOIN || !isZero(theirs.value)) {
            entries.put(key, theirs);
        }
    }

    /** What stands for nothing in containerd's files. */
    private static boolean isZero(Object value) {
        return value.equals("")
                || value.equals(0L)
                || value.equals(0.0)
                || value.equals(false)
                || (value instanceof List<?> list && list.isEmpty())
                || (value instanceof Section section && section.entries.isEmpty());
    }

    /** Where {@code key} is, or where it is missing. */
    public String place(String key) {
        Entry entry = entries.get(key);
        return entry == null ? place : entry.place;
    }

    public boolean has(String key) {
        return entries.containsKey(key);
    }

    /** Whether there is a value of that name that says something: not empty, 0 or false. */
    public boolean says(String key) {
        Entry entry = entries.get(key);
        return entry != null && !isZero(entry.value);
    }

    /** Takes {@code key} as known, whatever its value. */
    public void read(String key) {
        asked.add(key);
    }

    /** The keys that nobody has asked for yet. */
    public List<String> unread() {
        return entries.keySet().stream().filter(key -> !asked.contains(key)).toList();
    }

    /** The known key that is {@code most} edits away from {@code key}, or fewer. */
    public Optional<String> nearest(String key, int most) {
        return Nearest.of(key, asked, most);
    }

    /**
     * Moves the value of {@code key} into the table {@code target}, which is made if need be, unless the table has it
     * already. A problem with the value still has the place where it was written.
     */
    public void move(String key, Section target, String newKey) {
        Entry entry = entries.remove(key);
        if (entry != null) {
            target.entries.putIfAbsent(
                    newKey,
                    entry.value instanceof Section section
                            ? new Entry(section.renamed(target.name(newKey), problems), entry.place)
                            : entry);
        }
    }

    public void remove(String key) {
        entries.remove(key);
    }

    /** Sets what a file of an older version says in other words. */
    public void set(String key, List<String> value, String writtenAt) {
        entries.putIfAbsent(key, new Entry(value, writtenAt));
    }

    private Section renamed(String newPath, List<ConfigProblem> sharedProblems) {
        Section copy = new Section(newPath, place, sharedProblems);
        entries.forEach((key, entry) -> copy.entries.put(
                key,
                entry.value instanceof Section section
                        ? new Entry(section.renamed(copy.name(key), sharedProblems), entry.place)
                        : entry));
        return copy;
    }

    /** The table of that name, made if there is none; an empty one that is not kept if the name is that of a value. */
    public Section make(String key) {
        Entry entry = entries.computeIfAbsent(key, name -> new Entry(new Section(name(name), place, problems), place));
        return entry.value instanceof Section section ? section : new Section(name(key), entry.place, problems);
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

    /** Whether there is a string at {@code key}; for keys that take other kinds of values, too. */
    public boolean isString(String key) {
        Entry entry = entries.get(key);
        return entry != null && entry.value instanceof String;
    }

    /** A list of lists of strings, of which a string alone stands for a list of one; empty if there is none. */
    public List<List<String>> stringLists(String key) {
        List<List<String>> lists = new ArrayList<>();
        for (Object item : value(key, List.class, "a list").orElse(List.of())) {
            List<?> inner = item instanceof TomlArray array ? array.toList() : List.of(item);
            if (inner.isEmpty() || !inner.stream().allMatch(String.class::isInstance)) {
                problem(key, "must be a list of strings, or of lists of strings");
                return List.of();
            }
            lists.add(inner.stream().map(String.class::cast).toList());
        }
        return lists;
    }

    /** The names of all that is in this table, in the order of the file. */
    public List<String> keys() {
        return List.copyOf(entries.keySet());
    }

    /** The table of that name; one without anything in it if there is none. */
    public Section section(String key) {
        return askedSections.computeIfAbsent(
                key,
                name -> value(name, Section.class, "a table")
                        .orElseGet(() -> new Section(name(name), place(name), problems)));
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
        problems.add(new ConfigProblem(place(key), name(key) + " " + message));
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

    /** The key with the tables that it is in, as TOML would have it. */
    public String name(String key) {
        String quoted = key.matches("[A-Za-z0-9_-]+") ? key : "\"" + key + "\"";
        return path.isEmpty() ? quoted : path + "." + quoted;
    }

    private String suggestion(String key) {
        return Nearest.of(key, asked)
                .map(nearest -> ": did you mean " + nearest + "?")
                .orElse("");
    }
}
