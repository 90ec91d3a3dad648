package dev.longshore.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.Assumptions;
import org.awaitility.Awaitility;

/** A real registry, Debian's {@code docker-registry}, on a port of its own on loopback. */
public final class RegistryProcess implements AutoCloseable {

    private static final Path PROGRAM = Path.of("/usr/bin/docker-registry");

    private final Path folder;
    private final int port;
    private final boolean tls;
    private final Process process;

    private RegistryProcess(Path folder, int port, boolean tls, Process process) {
        this.folder = folder;
        this.port = port;
        this.tls = tls;
        this.process = process;
    }

    /**
     * Who may come in.
     *
     * @param yaml the {@code auth} section of the registry's configuration; empty for everybody
     */
    public record Access(Optional<String> yaml) {

        public static final Access EVERYBODY = new Access(Optional.empty());

        /** One user with a password. */
        public static Access password(Path folder, String user, String password) {
            String line = run(folder, List.of("htpasswd", "-nbB", user, password));
            Path file = folder.resolve("htpasswd");
            write(file, line);
            return new Access(Optional.of("  htpasswd:\n    realm: test\n    path: %s\n".formatted(file)));
        }

        /** Bearers of tokens that {@code realm} gives out and {@code certificates} (PEM) vouch for. */
        public static Access token(String realm, Path certificates) {
            return new Access(
                    Optional.of("  token:\n    realm: %s\n    service: test\n    issuer: test\n    rootcertbundle: %s\n"
                            .formatted(realm, certificates)));
        }
    }

    /** Starts one that keeps its images in {@code folder}; skips the test where the program is not installed. */
    public static RegistryProcess start(Path folder, boolean tls, Access access) throws IOException {
        Assumptions.assumeThat(PROGRAM)
                .as("docker-registry is not installed: deploy/test.sh does it")
                .isExecutable();
        StringBuilder config = new StringBuilder("version: 0.1\nlog:\n  accesslog:\n    disabled: false\n");
        int port;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        config.append("storage:\n  filesystem:\n    rootdirectory: %s\n  delete:\n    enabled: true\n"
                .formatted(folder.resolve("images")));
        config.append("http:\n  addr: 127.0.0.1:%d\n  secret: not-secret\n".formatted(port));
        if (tls) {
            certificate(folder);
            config.append("  tls:\n    certificate: %s\n    key: %s\n"
                    .formatted(folder.resolve("registry.crt"), folder.resolve("registry.key")));
        }
        access.yaml().ifPresent(yaml -> config.append("auth:\n").append(yaml));
        Path file = folder.resolve("registry.yml");
        Files.writeString(file, config);
        Process process = new ProcessBuilder(PROGRAM.toString(), "serve", file.toString())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("registry.log").toFile())
                .start();
        RegistryProcess registry = new RegistryProcess(folder, port, tls, process);
        try {
            Awaitility.await("registry at port " + port)
                    .atMost(Duration.ofSeconds(30))
                    .pollInterval(Duration.ofMillis(50))
                    .until(registry::answers);
        } catch (RuntimeException e) {
            registry.close();
            throw new IOException("the registry did not start: " + registry.log(), e);
        }
        return registry;
    }

    /** A key and a certificate for loopback, {@code registry.key} and {@code registry.crt} in {@code folder}. */
    public static void certificate(Path folder) {
        run(
                folder,
                List.of(
                        "openssl",
                        "req",
                        "-x509",
                        "-newkey",
                        "rsa:2048",
                        "-nodes",
                        "-days",
                        "2",
                        "-subj",
                        "/CN=127.0.0.1",
                        "-addext",
                        "subjectAltName=IP:127.0.0.1",
                        "-keyout",
                        "registry.key",
                        "-out",
                        "registry.crt"));
    }

    private boolean answers() throws IOException {
        if (!process.isAlive()) {
            throw new IOException("the registry ended with " + process.exitValue());
        }
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1000);
            return true;
        } catch (IOException e) {
            return false; // not yet
        }
    }

    /** As it stands in image names. */
    public String host() {
        return "127.0.0.1:" + port;
    }

    public String url() {
        return (tls ? "https://" : "http://") + host();
    }

    /** The certificate that it shows, PEM. */
    public Path certificate() {
        return folder.resolve("registry.crt");
    }

    /** What it has logged, a line a request. */
    public List<String> log() {
        try {
            return Files.readAllLines(folder.resolve("registry.log"), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void write(Path file, String text) {
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String run(Path folder, List<String> command) {
        try {
            Path output = Files.createTempFile(folder, "output", ".txt");
            Process process = new ProcessBuilder(new ArrayList<>(command))
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            int status = process.waitFor();
            if (status != 0) {
                throw new IOException(
                        "%s: exit %d: %s".formatted(command.getFirst(), status, Files.readString(output)));
            }
            return Files.readString(output);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
