package dev.longshore.sdk.config;

import dev.longshore.sdk.config.Section.Merge;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.tomlj.Toml;
import org.tomlj.TomlParseResult;

/**
 * Reads a TOML file and those that it imports, as containerd does. {@code imports} are paths relative to the file that has them,
 * with {@code *}, {@code ?} and {@code [...]} in any part; a file is merged after the one that imports it, and before those that it
 * imports itself. One that was read already is not read again, so that cycles end.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/docs/man/containerd-config.toml.5.md">imports</a>
 */
public final class ConfigFile {

    /** Bytes of one file. */
    private static final long MAX_SIZE = 1 << 20;

    private static final int MAX_FILES = 100;

    private static final String IMPORTS = "imports";

    private final Format format;
    private final List<ConfigProblem> problems = new ArrayList<>();
    private final List<ConfigProblem> replaced = new ArrayList<>();
    private final Set<Path> seen = new LinkedHashSet<>();
    private final Set<Path> imports = new LinkedHashSet<>();
    private Optional<Long> version = Optional.empty();

    /**
     * What there is to know of a kind of file.
     *
     * @param rules how tables at the top are merged
     * @param imports of the first file, unless it says what it imports
     * @param migration brings one file, of whatever version, to the newest form, before it is merged
     */
    public record Format(Map<String, Merge> rules, List<String> imports, Consumer<Section> migration) {

        /** Everything is joined, and nothing is imported unasked. */
        public static final Format PLAIN = new Format(Map.of(), List.of(), _ -> {});

        public Format {
            rules = Map.copyOf(rules);
            imports = List.copyOf(imports);
        }
    }

    /**
     * What was read.
     *
     * @param problems values that are wrong; more are added while sections are read
     * @param replaced tables that took the place of one of the same name in an earlier file
     * @param imports what was asked to be imported: absolute, patterns among them
     */
    public record Read(Section root, List<ConfigProblem> problems, List<ConfigProblem> replaced, List<Path> imports) {

        /** The files that would be imported now, in order. */
        public List<Path> imported() throws IOException {
            Set<Path> files = new LinkedHashSet<>();
            for (Path pattern : imports) {
                files.addAll(Glob.expand(pattern));
            }
            return List.copyOf(files);
        }
    }

    private ConfigFile(Format format) {
        this.format = format;
    }

    /** @throws ConfigException if a file is no TOML, is missing, or is too big */
    public static Read read(Path file, Format format) throws ConfigException, IOException {
        return new ConfigFile(format).read(file.toAbsolutePath(), Optional.of(file));
    }

    /** Reads what a file in {@code folder} that says nothing would import. */
    public static Read readImports(Path folder, Format format) throws ConfigException, IOException {
        return new ConfigFile(format).read(folder.toAbsolutePath().resolve("none"), Optional.empty());
    }

    /** Reads text as if it were a file without imports. */
    public static Read parse(String text, String name, Format format) throws ConfigException {
        ConfigFile config = new ConfigFile(format);
        Section root = config.section(text, name);
        format.migration().accept(root);
        return new Read(root, config.problems, List.of(), List.of());
    }

    private Read read(Path name, Optional<Path> file) throws ConfigException, IOException {
        Deque<Path> pending = new ArrayDeque<>();
        Section root = Section.empty(name + ":1:1", problems);
        if (file.isPresent()) {
            Section first = add(file.get(), root).orElseThrow();
            imports(name, first.has(IMPORTS) ? first.strings(IMPORTS) : format.imports(), pending);
        } else {
            imports(name, format.imports(), pending);
        }
        while (!pending.isEmpty()) {
            Path next = pending.remove();
            Optional<Section> added = add(next, root);
            if (added.isPresent()) {
                imports(next, added.get().strings(IMPORTS), pending);
            }
        }
        return new Read(root, problems, List.copyOf(replaced), List.copyOf(imports));
    }

    /** The file's own content, merged into {@code root}; empty if it was read before. */
    private Optional<Section> add(Path file, Section root) throws ConfigException, IOException {
        Path real;
        try {
            real = file.toRealPath();
        } catch (NoSuchFileException e) {
            throw new ConfigException(file + ": no such file");
        }
        if (!seen.add(real)) {
            return Optional.empty();
        }
        if (seen.size() > MAX_FILES) {
            throw new ConfigException(file + ": more than %d files are imported".formatted(MAX_FILES));
        }
        if (!Files.isRegularFile(real)) {
            throw new ConfigException(file + ": is no regular file");
        }
        if (Files.size(real) > MAX_SIZE) {
            throw new ConfigException(file + ": larger than %d bytes".formatted(MAX_SIZE));
        }
        Section section = section(text(real, file), file.toString());
        format.migration().accept(section);
        checkVersion(section);
        root.merge(section, format.rules(), replaced);
        return Optional.of(section);
    }

    private static String text(Path real, Path file) throws ConfigException, IOException {
        try {
            return Files.readString(real);
        } catch (CharacterCodingException e) {
            throw new ConfigException(file + ": is not UTF-8");
        }
    }

    /** A file must not be of a newer version than the one that imports it: it was written for other programs. */
    private void checkVersion(Section section) {
        Optional<Long> own = section.integer("version");
        if (version.isEmpty()) {
            version = own;
        } else if (own.isPresent() && own.get() > version.get()) {
            section.problem(
                    "version", "%d is newer than that of the importing file, %d".formatted(own.get(), version.get()));
        }
    }

    private void imports(Path importing, List<String> patterns, Deque<Path> pending) throws IOException {
        for (String pattern : patterns) {
            Path absolute = importing.resolveSibling(pattern).normalize();
            imports.add(absolute);
            pending.addAll(Glob.expand(absolute));
        }
    }

    private Section section(String text, String name) throws ConfigException {
        TomlParseResult result = Toml.parse(text);
        if (result.hasErrors()) {
            throw new ConfigException(result.errors().stream()
                    .map(error -> new ConfigProblem(
                            "%s:%d:%d"
                                    .formatted(
                                            name,
                                            error.position().line(),
                                            error.position().column()),
                            String.valueOf(error.getMessage())))
                    .toList());
        }
        return Section.of(result, name, problems);
    }
}
