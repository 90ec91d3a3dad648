package dev.longshore.sdk.config;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.tomlj.Toml;
import org.tomlj.TomlParseResult;

/**
 * Reads a TOML file and those that it imports. {@code imports} are paths with {@code *} in their last part, relative to the file
 * that has them; a file that was read already is not read again, so that cycles end.
 */
public final class ConfigFile {

    /** Bytes of one file. */
    private static final long MAX_SIZE = 1 << 20;

    private static final int MAX_FILES = 100;

    private final List<ConfigProblem> problems = new ArrayList<>();
    private final Set<Path> seen = new HashSet<>();

    private ConfigFile() {}

    /** @param problems values that are wrong; more are added while sections are read */
    public record Read(Section root, List<ConfigProblem> problems) {}

    /** @throws ConfigException if a file is no TOML, is missing, or is too big */
    public static Read read(Path file) throws ConfigException, IOException {
        ConfigFile config = new ConfigFile();
        Section root = Section.empty(config.problems);
        config.add(file, root);
        return new Read(root, config.problems);
    }

    /** Reads text as if it were a file without imports. */
    public static Read parse(String text, String name) throws ConfigException {
        ConfigFile config = new ConfigFile();
        return new Read(config.section(text, name), config.problems);
    }

    private void add(Path file, Section root) throws ConfigException, IOException {
        Path real;
        try {
            real = file.toRealPath();
        } catch (NoSuchFileException e) {
            throw new ConfigException(file + ": no such file");
        }
        if (!seen.add(real)) {
            return;
        }
        if (seen.size() > MAX_FILES) {
            throw new ConfigException(file + ": more than %d files are imported".formatted(MAX_FILES));
        }
        if (Files.size(real) > MAX_SIZE) {
            throw new ConfigException(file + ": larger than %d bytes".formatted(MAX_SIZE));
        }
        Section section = section(Files.readString(real), file.toString());
        root.merge(section);
        for (String pattern : section.strings("imports")) {
            for (Path imported : imported(real, pattern)) {
                add(imported, root);
            }
        }
    }

    private static Set<Path> imported(Path file, String pattern) throws IOException {
        Path path = file.resolveSibling(pattern);
        Path folder = path.getParent();
        if (folder == null || !pattern.contains("*")) {
            return Set.of(path);
        }
        Set<Path> matches = new TreeSet<>();
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> files =
                    Files.newDirectoryStream(folder, path.getFileName().toString())) {
                files.forEach(matches::add);
            }
        }
        return matches;
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
        return Section.of(result, name, "", problems);
    }
}
