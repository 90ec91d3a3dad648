package dev.longshore.deploy;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Debian's {@code dockerd} with a suite as its containerd. All that it writes is below the suite's folder; it has no network of
 * its own, so that nothing of the machine is changed.
 */
final class Dockerd implements AutoCloseable {

    /** What {@link #importBusybox} makes. */
    static final String BUSYBOX = "busybox:latest";

    private final Suite suite;
    private final Path root;
    private @Nullable Process process;

    private Dockerd(Suite suite) {
        this.suite = suite;
        this.root = suite.root().resolve("docker");
    }

    /** Skips the test where there is no Docker; else starts the daemon and returns when it answers. */
    static Dockerd on(Suite suite) {
        Dockerd dockerd = new Dockerd(suite);
        try {
            Files.createDirectories(dockerd.root);
            // Not the machine's own /etc/docker/daemon.json.
            Files.writeString(dockerd.root.resolve("daemon.json"), "{}");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        try {
            dockerd.start();
        } catch (RuntimeException | Error e) {
            dockerd.close();
            throw e;
        }
        return dockerd;
    }

    /** Closes both, dockerd first; either may be null, after a set-up that failed. */
    static void closeAfter(@Nullable Dockerd dockerd, @Nullable Suite suite) {
        try (suite;
                dockerd) {
            // Only to be closed.
        }
    }

    static void need() {
        Programs.need("dockerd", "docker");
    }

    /** Starts the daemon, as after {@link #kill}. */
    void start() {
        try {
            process = new ProcessBuilder(
                            "dockerd",
                            "--config-file=" + root.resolve("daemon.json"),
                            "--containerd=" + suite.address(),
                            "--host=unix://" + socket(),
                            "--data-root=" + root.resolve("lib"),
                            "--exec-root=" + root.resolve("run"),
                            "--pidfile=" + root.resolve("docker.pid"),
                            "--live-restore",
                            "--bridge=none",
                            "--iptables=false",
                            "--ip6tables=false",
                            "--ip-forward=false",
                            "--ip-masq=false",
                            "--userland-proxy=false")
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Process started = process;
        await().atMost(Programs.PATIENCE).until(() -> {
            if (!started.isAlive()) {
                throw new AssertionError("dockerd ended: " + Files.readString(log()));
            }
            return docker("version").exit() == 0;
        });
    }

    Path socket() {
        return root.resolve("docker.sock");
    }

    /** Where the daemon's log is. */
    Path log() {
        return root.resolve("docker.log");
    }

    /** Kills the daemon; its containers run on. */
    void kill() {
        Process running = process;
        if (running != null) {
            running.destroyForcibly();
            awaitEnd(running);
        }
    }

    Ran docker(String... arguments) {
        return dockerWithInput("", arguments);
    }

    Ran dockerWithInput(String input, String... arguments) {
        // The classic builder: the other one is a program of its own with a runc of its own.
        return Programs.run(command(arguments), input, Map.of("DOCKER_BUILDKIT", "0"));
    }

    List<String> command(String... arguments) {
        List<String> command = new ArrayList<>(List.of("docker", "--host", "unix://" + socket()));
        command.addAll(List.of(arguments));
        return command;
    }

    /** {@code docker run -d} of busybox without a network. */
    void runDetached(String name, String... command) {
        List<String> arguments = new ArrayList<>(List.of("run", "-d", "--network", "none", "--name", name, BUSYBOX));
        arguments.addAll(List.of(command));
        docker(arguments.toArray(String[]::new)).ok();
    }

    /** One field of {@code docker inspect}, e.g. {@code .State.Status}. */
    String inspect(String name, String field) {
        return docker("inspect", "--format", "{{" + field + "}}", name)
                .ok()
                .out()
                .strip();
    }

    void awaitStatus(String name, String status) {
        await().atMost(Programs.PATIENCE)
                .until(() -> inspect(name, ".State.Status").equals(status));
    }

    /** The pid of a container's first process. */
    long pid(String name) {
        return Long.parseLong(inspect(name, ".State.Pid"));
    }

    /** Makes the image {@link #BUSYBOX}. */
    void importBusybox() {
        docker(
                        "import",
                        "--change",
                        "CMD [\"/bin/sh\"]",
                        TestImage.busyboxLayer().toString(),
                        BUSYBOX)
                .ok();
    }

    void removeContainers() {
        List<String> ids = docker("ps", "--all", "--quiet").ok().lines();
        if (!ids.isEmpty()) {
            List<String> arguments = new ArrayList<>(List.of("rm", "--force", "--volumes"));
            arguments.addAll(ids);
            docker(arguments.toArray(String[]::new)).ok();
        }
    }

    @Override
    public void close() {
        Process running = process;
        if (running == null) {
            return;
        }
        try {
            if (running.isAlive()) {
                removeContainers();
            }
        } finally {
            running.destroy();
            awaitEnd(running);
            unmount();
        }
    }

    private static void awaitEnd(Process running) {
        try {
            if (!running.waitFor(Programs.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                running.destroyForcibly().waitFor();
                throw new AssertionError("dockerd did not end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for dockerd", e);
        }
    }

    /** With live-restore it leaves what it has mounted for the containers that are to run on. */
    private void unmount() {
        try {
            Files.readAllLines(Path.of("/proc/self/mountinfo")).stream()
                    .map(line -> line.split(" ")[4])
                    .filter(mount -> mount.startsWith(root + "/"))
                    .sorted((one, other) -> other.compareTo(one))
                    .forEach(mount -> Programs.run(List.of("umount", "--lazy", mount)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
