package dev.longshore.testkit;

import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Xattrs;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** The files of a folder as text that tests can compare and people can read. */
public final class FileTree {

    private FileTree() {}

    /**
     * What is below {@code root}, and {@code root} itself as {@code .}: path to type, permissions, owner, number of hard
     * links of files, {@code user.*} attributes, and the content or the target.
     */
    public static Map<String, String> of(Path root) throws IOException {
        try (Stream<Path> paths = Files.walk(root)) {
            Map<String, String> tree = new TreeMap<>();
            for (Path path : (Iterable<Path>) paths::iterator) {
                String name = root.relativize(path).toString();
                tree.put(name.isEmpty() ? "." : name, describe(path));
            }
            return tree;
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static String describe(Path path) throws IOException {
        FileStat stat = FileStat.of(path);
        String common = "%04o %d:%d".formatted(stat.permissions(), stat.uid(), stat.gid());
        String xattrs = xattrs(path);
        return switch (stat.mode() & FileStat.S_IFMT) {
            case FileStat.S_IFDIR -> "folder " + common + xattrs;
            case FileStat.S_IFREG ->
                "file " + common + " links " + stat.links() + xattrs + " \"" + Files.readString(path) + "\"";
            case FileStat.S_IFLNK -> "link " + Files.readSymbolicLink(path);
            default ->
                "special %06o %s %d:%d"
                        .formatted(
                                stat.mode(), common, stat.specialDevice() >>> 32, stat.specialDevice() & 0xffffffffL);
        };
    }

    private static String xattrs(Path path) throws IOException {
        List<String> names = Xattrs.list(path).stream()
                .filter(name -> name.startsWith("user.") && !name.startsWith("user.overlay."))
                .sorted()
                .toList();
        StringBuilder text = new StringBuilder();
        for (String name : names) {
            byte[] value = Xattrs.get(path, name).orElseThrow();
            text.append(' ').append(name).append('=').append(new String(value, StandardCharsets.ISO_8859_1));
        }
        return text.toString();
    }
}
