package dev.longshore.deploy;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A real IPFS node on the loopback device, in a repository of its own, which knows nobody until it is told. */
final class IpfsNode implements AutoCloseable {

    private static final String VARIABLE = "LONGSHORE_IPFS";

    private final String program;
    private final Path repository;
    private final Running daemon;

    private IpfsNode(String program, Path repository, Running daemon) {
        this.program = program;
        this.repository = repository;
        this.daemon = daemon;
    }

    /** Skips the test where there is no such program. */
    static IpfsNode start(Path repository) {
        String named = System.getenv().getOrDefault(VARIABLE, "ipfs");
        assumeTrue(
                named.contains("/") ? Files.isExecutable(Path.of(named)) : Programs.installed(named),
                "skipped: there is no ipfs in PATH, and %s does not name one".formatted(VARIABLE));
        List<String> environment = List.of("env", "IPFS_PATH=" + repository, named);
        Programs.run(with(environment, "init", "--profile=test")).ok();
        Running daemon = Running.start(with(environment, "daemon", "--routing=none"));
        daemon.awaitSaid("Daemon is ready");
        return new IpfsNode(named, repository, daemon);
    }

    private static List<String> with(List<String> command, String... arguments) {
        List<String> all = new ArrayList<>(command);
        all.addAll(List.of(arguments));
        return all;
    }

    Ran run(String... arguments) {
        return Programs.run(with(List.of(program), arguments), "", Map.of("IPFS_PATH", repository.toString()));
    }

    /** Where its API is, as a multiaddress. */
    String api() {
        try {
            return Files.readString(repository.resolve("api")).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void connect(IpfsNode peer) {
        String address = peer.run("id", "-f", "<addrs>").ok().lines().stream()
                .filter(line -> line.startsWith("/ip4/127.0.0.1/tcp/"))
                .findFirst()
                .orElseThrow();
        run("swarm", "connect", address).ok();
    }

    @Override
    public void close() {
        daemon.close();
    }
}
