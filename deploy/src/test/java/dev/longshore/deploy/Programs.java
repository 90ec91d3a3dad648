package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Runs real programs, and says which of them a test cannot do without. */
final class Programs {

    /** Generous: the machines that tests run on are busy. */
    static final Duration PATIENCE = Duration.ofMinutes(2);

    private static final List<String> REQUIRED = List.of(
            System.getenv().getOrDefault("LONGSHORE_REQUIRED_PROGRAMS", "").split(" ", -1));

    private Programs() {}

    static boolean installed(String program) {
        return find(program).isPresent();
    }

    /** The path of a program that is installed. */
    static Path which(String program) {
        return find(program).orElseThrow(() -> new AssertionError(program + " is not on the PATH"));
    }

    private static Optional<Path> find(String program) {
        return Stream.of(System.getenv("PATH").split(":", -1))
                .map(folder -> Path.of(folder, program))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /**
     * Skips the test, naming the package, unless all of the programs are installed. One that {@code LONGSHORE_REQUIRED_PROGRAMS} has
     * must be there: deploy/test.sh sets it to what it has installed, so that no test is skipped for a package that was forgotten.
     */
    static void need(String... programs) {
        for (String program : programs) {
            String missing = program + " is not installed: apt-get install " + packageOf(program);
            if (REQUIRED.contains(program)) {
                assertThat(installed(program)).as(missing).isTrue();
            }
            assumeTrue(installed(program), missing);
        }
    }

    static void needRoot() {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root: mounts and runc");
    }

    private static String packageOf(String program) {
        return switch (program) {
            case "ctr", "containerd" -> "containerd";
            case "busybox" -> "busybox-static";
            case "ctr-remote" -> "stargz-snapshotter";
            case "docker", "dockerd" -> "docker.io";
            case "script" -> "bsdutils";
            default -> program;
        };
    }

    static Ran run(List<String> command) {
        return run(command, "", Map.of());
    }

    /** Runs a program to its end, with {@code input} as its standard input. Kills it, and fails, when it takes too long. */
    static Ran run(List<String> command, String input, Map<String, String> environment) {
        try {
            Path in = Files.createTempFile("in", "");
            Path out = Files.createTempFile("out", "");
            Path err = Files.createTempFile("err", "");
            try {
                Files.writeString(in, input);
                ProcessBuilder builder = new ProcessBuilder(command)
                        .redirectInput(in.toFile())
                        .redirectOutput(out.toFile())
                        .redirectError(err.toFile());
                builder.environment().putAll(environment);
                Process process = builder.start();
                if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                    process.descendants().forEach(ProcessHandle::destroyForcibly);
                    process.destroyForcibly().waitFor();
                    throw new AssertionError("did not end within %s: %s%nstdout: %s%nstderr: %s"
                            .formatted(PATIENCE, String.join(" ", command), text(out), text(err)));
                }
                return new Ran(String.join(" ", command), process.exitValue(), text(out), text(err));
            } finally {
                Files.delete(in);
                Files.delete(out);
                Files.delete(err);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while running " + command, e);
        }
    }

    /** Waits until a process has ended that need not be our child. */
    static void awaitEnd(long pid) {
        await().atMost(PATIENCE).until(() -> hasEnded(pid));
    }

    /**
     * Whether a process has ended that need not be our child. One that init did not take note of yet has ended as well, which
     * {@link ProcessHandle#isAlive} does not know.
     */
    static boolean hasEnded(long pid) {
        try {
            String line = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
            return "ZX".indexOf(line.charAt(line.lastIndexOf(')') + 2)) >= 0;
        } catch (IOException e) {
            return true; // there is no such process
        }
    }

    private static String text(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    }
}
