package dev.longshore.sdk.flag;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The command line of a program with few flags: {@code --name value}, {@code --name=value}, or with a single dash as Go's
 * programs take them. A switch has no value. What is no flag is an argument, as is everything behind {@code --}.
 *
 * <p>picocli is for people and costs hundreds of milliseconds at every start; daemons and plugins are started by machines.
 */
public final class Flags {

    private final String usage;
    private final Map<String, Flag> known = new LinkedHashMap<>();

    private record Flag(String placeholder, String help) {

        boolean takesValue() {
            return !placeholder.isEmpty();
        }
    }

    /** A command line that is not of the form that the usage says. The message is for the person who typed it. */
    public static final class UsageException extends Exception {

        public UsageException(String message) {
            super(message);
        }
    }

    /** A command line that was taken apart. */
    public static final class Parsed {

        private final Map<String, String> values;
        private final List<String> arguments;

        private Parsed(Map<String, String> values, List<String> arguments) {
            this.values = Map.copyOf(values);
            this.arguments = List.copyOf(arguments);
        }

        /** The last value given for the flag. */
        public Optional<String> value(String name) {
            return Optional.ofNullable(values.get(name));
        }

        /** The last value given for the flag. */
        public String require(String name) throws UsageException {
            String value = values.get(name);
            if (value == null) {
                throw new UsageException("--" + name + " is required");
            }
            return value;
        }

        /** Whether the switch was given. */
        public boolean has(String name) {
            return values.containsKey(name);
        }

        public List<String> arguments() {
            return arguments;
        }

        /** What to throw when there are arguments that mean nothing. */
        public UsageException unexpected() {
            return new UsageException("unexpected \"%s\": see --help".formatted(String.join(" ", arguments)));
        }
    }

    /** @param usage the line that says how the program is called, e.g. {@code longshored [flags] [config default|dump]} */
    public Flags(String usage) {
        this.usage = usage;
        option("help", "", "print this help");
        option("version", "", "print the version");
    }

    /**
     * Adds a flag.
     *
     * @param placeholder what the help calls its value, e.g. {@code FILE}; empty for a switch
     */
    public Flags option(String name, String placeholder, String help) {
        known.put(name, new Flag(placeholder, help));
        return this;
    }

    /** @throws UsageException if a flag is unknown, or its value is missing or one too many */
    public Parsed parse(List<String> commandLine) throws UsageException {
        Map<String, String> values = new HashMap<>();
        List<String> arguments = new ArrayList<>();
        for (int i = 0; i < commandLine.size(); i++) {
            String word = commandLine.get(i);
            if (word.equals("--")) {
                arguments.addAll(commandLine.subList(i + 1, commandLine.size()));
                break;
            }
            if (!word.startsWith("-") || word.length() == 1) {
                arguments.add(word);
                continue;
            }
            String text = word.substring(word.startsWith("--") ? 2 : 1);
            int equals = text.indexOf('=');
            String name = equals < 0 ? text : text.substring(0, equals);
            Flag flag = known.get(name);
            if (flag == null) {
                throw new UsageException("unknown flag %s%s".formatted(word, suggestion(name)));
            }
            if (!flag.takesValue()) {
                if (equals >= 0) {
                    throw new UsageException("--%s takes no value".formatted(name));
                }
                values.put(name, "");
            } else if (equals >= 0) {
                values.put(name, text.substring(equals + 1));
            } else if (i + 1 < commandLine.size()) {
                values.put(name, commandLine.get(++i));
            } else {
                throw new UsageException("--%s needs a value: --%s %s".formatted(name, name, flag.placeholder()));
            }
        }
        return new Parsed(values, arguments);
    }

    private String suggestion(String name) {
        return Nearest.of(name, known.keySet())
                .map(nearest -> ": did you mean --" + nearest + "?")
                .orElse(": see --help");
    }

    /** What {@code --help} prints. */
    public String help() {
        StringBuilder help = new StringBuilder("usage: ").append(usage).append("\n\n");
        known.forEach((name, flag) ->
                help.append("  %-28s %s%n".formatted(("--" + name + " " + flag.placeholder()).strip(), flag.help())));
        return help.toString();
    }
}
