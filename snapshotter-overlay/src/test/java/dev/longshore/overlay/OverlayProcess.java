package dev.longshore.overlay;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.proxy.ProxySnapshotter;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;

/** The real program as a process of its own, and a client to it. */
final class OverlayProcess implements AutoCloseable {

    private final Process process;
    private final Path log;
    private final UnixChannels channels = new UnixChannels();
    private final ManagedChannel channel;
    private final Snapshotter snapshotter;

    private OverlayProcess(Process process, Path log, Path socket) {
        this.process = process;
        this.log = log;
        this.channel = channels.open(socket, List.of());
        this.snapshotter = new ProxySnapshotter(channel, "overlayfs");
    }

    /** Starts the program and waits until it answers. */
    static OverlayProcess start(Path folder, String... flags) throws IOException {
        Path socket = folder.resolve("overlay.sock");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx64m",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "--address",
                socket.toString(),
                "--root",
                folder.resolve("root").toString()));
        command.addAll(List.of(flags));
        Path log = folder.resolve("overlay.log");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start();
        OverlayProcess overlay = new OverlayProcess(process, log, socket);
        try {
            Awaitility.await()
                    .atMost(Duration.ofSeconds(60))
                    .pollInterval(Duration.ofMillis(50))
                    .until(overlay::answers);
        } catch (RuntimeException e) {
            overlay.close();
            throw e;
        }
        return overlay;
    }

    private boolean answers() throws IOException {
        if (!process.isAlive()) {
            throw new IllegalStateException("the program ended: " + Files.readString(log));
        }
        try {
            snapshotter.stat(CallContext.of("probe", Duration.ofSeconds(5)), "probe");
            return true;
        } catch (NotFoundException e) {
            return true;
        } catch (UnavailableException e) {
            channel.resetConnectBackoff();
            return false;
        }
    }

    Snapshotter snapshotter() {
        return snapshotter;
    }

    long pid() {
        return process.pid();
    }

    /** SIGKILL. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    /** SIGTERM. @return the exit code */
    int terminate() throws InterruptedException {
        process.destroy();
        process.waitFor(30, TimeUnit.SECONDS);
        return process.exitValue();
    }

    @Override
    public void close() {
        channel.shutdownNow();
        channels.close();
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
