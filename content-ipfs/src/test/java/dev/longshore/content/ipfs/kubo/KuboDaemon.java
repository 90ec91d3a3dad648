package dev.longshore.content.ipfs.kubo;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A real IPFS node, in a repository of its own, that knows no other. */
public final class KuboDaemon implements AutoCloseable {

    /** Where the program is, if it is not in PATH. */
    public static final String VARIABLE = "LONGSHORE_IPFS";

    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private final Path program;
    private final Path folder;
    private Optional<Process> process = Optional.empty();

    private KuboDaemon(Path program, Path folder) {
        this.program = program;
        this.folder = folder;
    }

    public static Optional<Path> program() {
        String named = System.getenv(VARIABLE);
        Stream<Path> places = named != null
                ? Stream.of(Path.of(named))
                : Stream.of(System.getenv("PATH").split(":", -1)).map(place -> Path.of(place, "ipfs"));
        return places.filter(Files::isExecutable).findFirst();
    }

    /** @param folder made for it */
    public static KuboDaemon start(Path program, Path folder) throws IOException, InterruptedException {
        KuboDaemon daemon = new KuboDaemon(program, Files.createDirectories(folder));
        daemon.run("init", "--profile=test");
        daemon.start();
        return daemon;
    }

    public void start() throws IOException, InterruptedException {
        Path api = folder.resolve("repo/api");
        Files.deleteIfExists(api);
        Process started = builder("daemon", "--offline")
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("daemon.log").toFile())
                .start();
        process = Optional.of(started);
        Path log = folder.resolve("daemon.log");
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!Files.readString(log).contains("Daemon is ready")) {
            if (System.nanoTime() > end || started.waitFor(50, TimeUnit.MILLISECONDS)) {
                throw new IOException("the node does not start: " + Files.readString(log));
            }
        }
    }

    public void stop() throws InterruptedException {
        if (process.isPresent()) {
            process.get().destroy();
            process.get().waitFor();
            process = Optional.empty();
        }
    }

    private ProcessBuilder builder(String... arguments) {
        String[] command = Stream.concat(Stream.of(program.toString()), Stream.of(arguments))
                .toArray(String[]::new);
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("IPFS_PATH", folder.resolve("repo").toString());
        return builder;
    }

    /** @return what it printed */
    public String run(String... arguments) throws IOException, InterruptedException {
        Process run = builder(arguments).redirectErrorStream(true).start();
        run.getOutputStream().close();
        String printed = new String(run.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        if (run.waitFor() != 0) {
            throw new IOException("ipfs %s: %s".formatted(String.join(" ", arguments), printed));
        }
        return printed;
    }

    public ApiAddress api() throws IOException {
        return ApiAddress.parse(Files.readString(folder.resolve("repo/api")).strip());
    }

    @Override
    public void close() throws InterruptedException {
        stop();
    }
}
