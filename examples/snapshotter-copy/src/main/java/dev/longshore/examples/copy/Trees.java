package dev.longshore.examples.copy;

import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.snapshot.Usage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** What is done with whole trees. cp and rm know hard links, holes, devices, attributes, and trees of any depth. */
final class Trees {

    private Trees() {}

    /** Copies what is in {@code from}, and its owner and mode, to the folder {@code to}. */
    static void copy(Path from, Path to, Deadline deadline) throws IOException {
        run(List.of("cp", "--archive", "--reflink=auto", "--", from + "/.", to.toString()), deadline);
    }

    static void remove(Path tree, Deadline deadline) throws IOException {
        run(List.of("rm", "-rf", "--one-file-system", "--", tree.toString()), deadline);
    }

    private static void run(List<String> command, Deadline deadline) throws IOException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.PIPE)
                .start();
        try {
            process.getOutputStream().close();
            if (!process.waitFor(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw new DeadlineExceededException(String.join(" ", command) + ": not done in time");
            }
            if (process.exitValue() != 0) {
                byte[] said = process.getInputStream().readNBytes(1000);
                throw new IOException(String.join(" ", command) + ": " + new String(said, StandardCharsets.UTF_8));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted: " + String.join(" ", command), e);
        } finally {
            process.destroyForcibly();
        }
    }

    /** What the tree takes on disk, hard links counted once. */
    static Usage usage(Path tree) throws IOException {
        Set<Long> inodes = new HashSet<>();
        long blocks = 0;
        try (Stream<Path> paths = Files.walk(tree)) {
            for (Path path : (Iterable<Path>) paths::iterator) {
                FileStat stat = FileStat.of(path);
                blocks += inodes.add(stat.inode()) ? stat.blocks() : 0;
            }
        }
        return new Usage(inodes.size(), blocks * 512);
    }
}
