package dev.longshore.estargz;

import java.util.ArrayDeque;
import java.util.Deque;

/** Names of archives as paths: {@code ./usr/bin/} and {@code /usr//bin} are {@code usr/bin}, the root is empty. */
final class EntryNames {

    private EntryNames() {}

    static String clean(String name) {
        Deque<String> parts = new ArrayDeque<>();
        for (String part : name.split("/", -1)) {
            switch (part) {
                case "", "." -> {}
                case ".." -> parts.pollLast();
                default -> parts.addLast(part);
            }
        }
        return String.join("/", parts);
    }

    /** Of a clean path; empty for one in the root, and for the root. */
    static String parent(String path) {
        return path.substring(0, Math.max(0, path.lastIndexOf('/')));
    }
}
