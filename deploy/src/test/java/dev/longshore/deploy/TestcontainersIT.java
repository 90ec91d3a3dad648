package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.testcontainers.containers.Container.ExecResult;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.output.WaitingConsumer;
import org.testcontainers.containers.startupcheck.OneShotStartupCheckStrategy;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.images.builder.Transferable;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.MountableFile;

/**
 * The suite as a user of Testcontainers has it below their tests: containers through dockerd, through our daemon, through our
 * shim. There is no bridge, so that they have no network or the machine's.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestcontainersIT {

    private static final DockerImageName IMAGE = DockerImageName.parse(Dockerd.BUSYBOX);

    private Suite suite;
    private Dockerd dockerd;

    @BeforeAll
    void up() {
        Dockerd.need();
        suite = Suite.up();
        dockerd = Dockerd.on(suite);
        dockerd.importBusybox();
        // It takes this like the variable of the environment, and reads it once, when the first container is made.
        System.setProperty("DOCKER_HOST", "unix://" + dockerd.socket());
    }

    @AfterAll
    void down() {
        System.clearProperty("DOCKER_HOST");
        Dockerd.closeAfter(dockerd, suite);
    }

    private static GenericContainer<?> busybox(String... command) {
        return new GenericContainer<>(IMAGE).withNetworkMode("none").withCommand(command);
    }

    @Test
    void containerIsWaitedForEnteredCopiedToAndStopped(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "from the host");
        String id;
        try (GenericContainer<?> container = busybox(
                        "sh", "-c", "echo starting; cat /before; echo ready; while :; do sleep 0.1; done")
                .withCopyToContainer(Transferable.of("copied before the start\n"), "/before")
                .withEnv("GREETING", "hello")
                .waitingFor(Wait.forLogMessage(".*ready.*\\n", 1).withStartupTimeout(Programs.PATIENCE))) {
            container.start();
            id = container.getContainerId();
            assertThat(container.isRunning()).isTrue();
            assertThat(container.getLogs()).isEqualTo("starting\ncopied before the start\nready\n");

            ExecResult result = container.execInContainer("sh", "-c", "echo $GREETING; echo err >&2; exit 5");
            assertThat(result.getStdout()).isEqualTo("hello\n");
            assertThat(result.getStderr()).isEqualTo("err\n");
            assertThat(result.getExitCode()).isEqualTo(5);

            container.copyFileToContainer(MountableFile.forHostPath(file), "/home/file");
            assertThat(container.execInContainer("cat", "/home/file").getStdout())
                    .isEqualTo("from the host");
            assertThat(container.<String>copyFileFromContainer(
                            "/home/file", in -> new String(in.readAllBytes(), StandardCharsets.UTF_8)))
                    .isEqualTo("from the host");
            assertThat(suite.ctr("--namespace", "moby", "tasks", "ls").ok().row(id)[2])
                    .as("it runs on our daemon")
                    .isEqualTo("RUNNING");
        }
        assertThat(dockerd.docker("ps", "--all", "--quiet").ok().out()).isEmpty();
        assertThat(suite.ctr("--namespace", "moby", "tasks", "ls").ok().rows(id))
                .isEmpty();
    }

    @Test
    void portIsWaitedFor() throws Exception {
        int port = freePort();
        String address = "http://127.0.0.1:%d/etc/group".formatted(port);
        try (GenericContainer<?> container = busybox("httpd", "-f", "-p", "127.0.0.1:" + port, "-h", "/")
                        .withNetworkMode("host")
                        .waitingFor(Wait.forSuccessfulCommand("wget -q -O /dev/null " + address)
                                .withStartupTimeout(Programs.PATIENCE));
                HttpClient client = HttpClient.newHttpClient()) {
            container.start();
            assertThat(client.send(HttpRequest.newBuilder(URI.create(address)).build(), BodyHandlers.ofString())
                            .body())
                    .startsWith("root:");
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    @Test
    void outputIsFollowedToItsEnd() throws Exception {
        WaitingConsumer output = new WaitingConsumer();
        try (GenericContainer<?> container = busybox("sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.1; done")
                .withLogConsumer(output)
                .withStartupCheckStrategy(new OneShotStartupCheckStrategy().withTimeout(Programs.PATIENCE))) {
            container.start();
            output.waitUntilEnd(Programs.PATIENCE.toSeconds(), TimeUnit.SECONDS);
            assertThat(container.getLogs()).isEqualTo("line 1\nline 2\nline 3\n");
            assertThat(container.getCurrentContainerInfo().getState().getExitCodeLong())
                    .isZero();
        }
    }

    @Test
    void containerThatFailsToStartIsAFailure() {
        try (GenericContainer<?> container = busybox("/bin/does-not-exist")) {
            assertThatThrownBy(container::start).rootCause().hasMessageContaining("does-not-exist");
        }
        assertThat(dockerd.docker("ps", "--all", "--quiet").ok().out()).isEmpty();
    }
}
