package dev.longshore.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.proxy.PluginConnection;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program on a socket that somebody else listens on, as a systemd socket unit does. */
final class SocketActivationIT {

    /**
     * Does what systemd does for a socket unit with Restart=always: listens, leaves the socket to the program as descriptor 3,
     * and starts the program again when it ends. Perl is in every Debian.
     */
    private static final String SYSTEMD = """
            use Socket; use POSIX;
            $^F = 3;
            my $path = shift @ARGV;
            my $starts = shift @ARGV;
            socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
            bind($s, pack_sockaddr_un($path)) or die "bind: $!";
            chmod 0600, $path;
            listen($s, 128) or die "listen: $!";
            if (fileno($s) != 3) { POSIX::dup2(fileno($s), 3); close $s; }
            while ($starts-- > 0) {
              my $child = fork;
              if ($child == 0) { $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1; exec @ARGV or die "exec: $!"; }
              print "$child\\n"; $| = 1;
              waitpid $child, 0;
            }
            """;

    @TempDir
    Path folder;

    private Path socket;
    private Path log;

    @BeforeEach
    void needRoot() {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot keep snapshots");
        socket = folder.resolve("o.sock");
        log = folder.resolve("log");
    }

    private final List<Process> started = new ArrayList<>();

    @AfterEach
    void stopAll() throws InterruptedException {
        for (Process process : started) {
            List<ProcessHandle> children = process.descendants().toList();
            process.destroyForcibly().waitFor();
            children.forEach(ProcessHandle::destroyForcibly);
            for (ProcessHandle child : children) {
                child.onExit().join();
            }
        }
    }

    private Process systemd(int starts, String... flags) throws IOException {
        List<String> command = new ArrayList<>(List.of("perl", "-e", SYSTEMD, socket.toString(), "" + starts));
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx64m",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "--root",
                folder.resolve("root").toString()));
        command.addAll(List.of(flags));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        started.add(process);
        await().atMost(Duration.ofSeconds(60)).until(() -> Files.exists(socket) || !process.isAlive());
        return process;
    }

    private String said() {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The plugin as it runs now; the one before it has ended. */
    private ProcessHandle plugin(Process systemd, long before) {
        return await().atMost(Duration.ofSeconds(60))
                .until(
                        () -> {
                            try (Stream<ProcessHandle> children = systemd.children()) {
                                return children.filter(child -> child.pid() != before)
                                        .findAny()
                                        .orElse(systemd.toHandle());
                            }
                        },
                        child -> child.pid() != systemd.pid());
    }

    @Test
    void noCallFailsWhileTheProgramIsRestarted() throws Exception {
        Process systemd = systemd(4, "--address", socket.toString());
        AtomicBoolean done = new AtomicBoolean();
        try (UnixChannels channels = new UnixChannels();
                ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Integer>> results = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                String id = "caller-" + i;
                results.add(callers.submit(() -> makeSnapshots(channels, id, done)));
            }
            try {
                long before = -1;
                for (int restart = 0; restart < 3; restart++) {
                    ProcessHandle plugin = plugin(systemd, before);
                    before = plugin.pid();
                    int lives = restart + 1;
                    await().atMost(Duration.ofSeconds(60))
                            .untilAsserted(() -> assertThat(said().split("plugin serves", -1))
                                    .hasSize(lives + 1));
                    plugin.destroy();
                    plugin.onExit().get(60, TimeUnit.SECONDS);
                    assertThat(socket).as("it is systemd's").exists();
                }
                await().atMost(Duration.ofSeconds(60))
                        .untilAsserted(() ->
                                assertThat(said().split("plugin serves", -1)).hasSize(5));
            } finally {
                done.set(true);
            }
            for (Future<Integer> result : results) {
                assertThat(result.get(120, TimeUnit.SECONDS)).isPositive();
            }
        }
        assertThat(said()).contains("activated=true");
    }

    /** A new connection for each snapshot: who comes while nobody serves is to wait. */
    private int makeSnapshots(UnixChannels channels, String id, AtomicBoolean done) {
        int made = 0;
        while (!done.get() || made == 0) {
            try (PluginConnection connection = new PluginConnection(channels, socket)) {
                Snapshotter snapshotter = connection.snapshotter("overlayfs");
                CallContext context = CallContext.of("default", Duration.ofSeconds(60));
                snapshotter.prepare(context, id + "-" + made, "", Map.of());
                made++;
            }
        }
        return made;
    }

    @Test
    void aSocketOfAnotherAddressIsRefusedWithBothNames() throws Exception {
        Path other = folder.resolve("other.sock");
        Process systemd = systemd(1, "--address", other.toString());

        assertThat(systemd.waitFor(60, TimeUnit.SECONDS)).isTrue();

        assertThat(said())
                .contains(socket.toString())
                .contains(other.toString())
                .contains("ListenStream=");
    }
}
