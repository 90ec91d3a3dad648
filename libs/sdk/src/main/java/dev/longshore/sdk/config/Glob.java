package dev.longshore.sdk.config;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystem;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** Patterns of paths as Go's {@code filepath.Glob} takes them. */
final class Glob {

    private Glob() {}

    /**
     * The paths that match, in the order of their names; {@code pattern} itself if nothing in it is a pattern, whether or not
     * it is there.
     *
     * @param pattern absolute, with {@code *}, {@code ?} and {@code [...]} in any part
     */
    static List<Path> expand(Path pattern) throws IOException {
        if (!isPattern(pattern.toString())) {
            return List.of(pattern);
        }
        List<Path> paths = List.of(pattern.getRoot());
        for (Path part : pattern) {
            List<Path> matches = new ArrayList<>();
            for (Path folder : paths) {
                if (!isPattern(part.toString())) {
                    Path path = folder.resolve(part);
                    if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                        matches.add(path);
                    }
                } else if (Files.isDirectory(folder)) {
                    matches.addAll(in(folder, part.toString()));
                }
            }
            paths = matches;
        }
        return paths;
    }

    private static boolean isPattern(String text) {
        return text.chars().anyMatch(c -> c == '*' || c == '?' || c == '[');
    }

    private static Set<Path> in(Path folder, String part) throws IOException {
        FileSystem files = folder.getFileSystem();
        // Braces mean something to the JDK only.
        PathMatcher matcher =
                files.getPathMatcher("glob:" + part.replace("{", "\\{").replace("}", "\\}"));
        Set<Path> matches = new TreeSet<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            for (Path entry : entries) {
                if (matcher.matches(entry.getFileName())) {
                    matches.add(entry);
                }
            }
        }
        return matches;
    }
}
