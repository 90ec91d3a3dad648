package dev.longshore.deploy;

import static org.awaitility.Awaitility.await;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.transport.proxy.ProxySnapshotter;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A snapshotter of its own that a test starts beside the suite, declares to the daemon by a file in {@code conf.d}, and does harm to.
 */
final class TestPlugin implements AutoCloseable {

    private final Suite suite;
    private final String name;
    private final List<String> program;
    private Path socket;
    private FileTime listened = FileTime.fromMillis(0);
    private Optional<Running> process = Optional.empty();

    private TestPlugin(Suite suite, String name, List<String> program) {
        this.suite = suite;
        this.name = name;
        this.program = List.copyOf(program);
        this.socket = suite.root().resolve("run/" + name + ".sock");
    }

    /** The overlay snapshotter of the distribution, once more. */
    static TestPlugin overlay(Suite suite, String name) {
        return new TestPlugin(
                suite,
                name,
                List.of(Suite.distribution()
                        .resolve("bin/longshore-snapshotter-overlay")
                        .toString()));
    }

    /** The snapshotter of {@code examples}. */
    static TestPlugin copy(Suite suite, String name) {
        return new TestPlugin(suite, name, copyProgram());
    }

    /** How the snapshotter of {@code examples} is run; {@code --address} and {@code --root} are to follow. */
    static List<String> copyProgram() {
        return List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.longshore.examples.copy.Main");
    }

    String name() {
        return name;
    }

    Path socket() {
        return socket;
    }

    Path root() {
        return suite.root().resolve("lib/" + name);
    }

    /** The file that declares it. */
    Path file() {
        return suite.root().resolve("conf.d/" + name + ".toml");
    }

    /** From the next start on it listens at another address. */
    void moveTo(Path other) {
        socket = other;
        listened = FileTime.fromMillis(0);
    }

    /** Starts the program, which must not run. A socket that a killed one left is in its way, as it is in life. */
    void start() {
        List<String> command = new ArrayList<>(program);
        command.addAll(List.of("--address", socket.toString(), "--root", root().toString()));
        process = Optional.of(Running.start(command));
    }

    /** Returns when the program that was started last has put its socket in place. */
    void awaitListening() {
        await().atMost(Programs.PATIENCE)
                .pollInterval(Duration.ofMillis(5))
                .until(() -> Files.exists(socket)
                        && Files.getLastModifiedTime(socket).compareTo(listened) > 0);
        listened = listening();
    }

    private FileTime listening() {
        try {
            return Files.getLastModifiedTime(socket);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Sends it a signal, e.g. {@code STOP}. */
    void signal(String signal) {
        Programs.run(List.of(
                        "kill",
                        "-" + signal,
                        String.valueOf(process.orElseThrow().pid())))
                .ok();
    }

    /** Ends it by a signal, and returns when it is gone. */
    void end(String signal) {
        signal(signal);
        int _ = process.orElseThrow().awaitExit();
        close();
    }

    /** Puts the file that declares it in place as a whole. */
    void declare(Duration timeout) {
        try {
            Files.createDirectories(file().getParent());
            Path whole = Files.writeString(
                    suite.root().resolve(name + ".new"), """
                    [proxy_plugins.%s]
                    type = "snapshot"
                    address = "%s"
                    timeout = "%ds"
                    """.formatted(name, socket, timeout.toSeconds()));
            Files.move(whole, file(), StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void undeclare() {
        try {
            Files.delete(file());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String state() {
        return suite.pluginState(name);
    }

    void awaitState(String state) {
        await().atMost(Programs.PATIENCE).until(() -> state().equals(state));
    }

    /** As clients of the daemon see it. */
    Snapshotter through(ManagedChannel daemon) {
        return new ProxySnapshotter(daemon, name);
    }

    /** How long it takes from now on until it is used again, for a snapshot that it has. */
    Duration untilUsed(ManagedChannel daemon, String key) {
        Snapshotter used = through(daemon);
        long start = System.nanoTime();
        await().pollInterval(Duration.ofMillis(10))
                .atMost(Duration.ofSeconds(20))
                .ignoreExceptionsMatching(
                        e -> e instanceof UnavailableException || e instanceof DeadlineExceededException)
                .until(() -> !used.mounts(CallContext.of("default", Duration.ofSeconds(30)), key)
                        .isEmpty());
        return Duration.ofNanos(System.nanoTime() - start);
    }

    /** Kills it where it runs. */
    @Override
    public void close() {
        process.ifPresent(Running::close);
        process = Optional.empty();
    }
}
