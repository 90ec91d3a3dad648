package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** The stock {@code docker} on a stock {@code dockerd} whose containerd is the suite: files, volumes and images. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DockerStorageIT {

    private Suite suite;
    private Dockerd dockerd;

    @BeforeAll
    void up() {
        Dockerd.need();
        suite = Suite.up();
        dockerd = Dockerd.on(suite);
        dockerd.importBusybox();
    }

    @AfterAll
    void down() {
        Dockerd.closeAfter(dockerd, suite);
    }

    @AfterEach
    void removeContainers() {
        dockerd.removeContainers();
    }

    private Ran run(String mount, String script) {
        return dockerd.docker(
                "run", "--rm", "--network", "none", "--mount", mount, Dockerd.BUSYBOX, "sh", "-c", script);
    }

    @Test
    void filesAreCopiedBothWays(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "from the host");
        dockerd.runDetached("copied", "sleep", "1000");
        dockerd.docker("cp", file.toString(), "copied:/home/file").ok();
        assertThat(dockerd.docker("exec", "copied", "cat", "/home/file").ok().out())
                .isEqualTo("from the host");
        dockerd.docker("exec", "copied", "sh", "-c", "echo from the container > /home/back")
                .ok();
        dockerd.docker("kill", "copied").ok();
        Path back = folder.resolve("back");
        dockerd.docker("cp", "copied:/home/back", back.toString()).ok();
        assertThat(back).hasContent("from the container\n");
    }

    @Test
    void volumesOutliveTheirContainers() {
        dockerd.docker("volume", "create", "kept").ok();
        run("source=kept,target=/data", "echo kept > /data/file").ok();
        assertThat(run("source=kept,target=/data", "cat /data/file").ok().out()).isEqualTo("kept\n");
        run("source=kept,target=/data,readonly", "touch /data/new").failedWith("Read-only");
        assertThat(run("type=tmpfs,target=/data", "grep /data /proc/mounts")
                        .ok()
                        .out())
                .startsWith("tmpfs /data tmpfs");
        dockerd.docker("volume", "rm", "kept").ok();
    }

    @Test
    void folderOfTheHostIsMounted(@TempDir Path folder) {
        run("type=bind,source=%s,target=/host".formatted(folder), "echo here > /host/file")
                .ok();
        assertThat(folder.resolve("file")).hasContent("here\n");
    }

    @Test
    void changedContainerBecomesAnImage() {
        dockerd.docker(
                        "run",
                        "--network",
                        "none",
                        "--name",
                        "changed",
                        Dockerd.BUSYBOX,
                        "sh",
                        "-c",
                        "echo new > /new; rm /etc/group")
                .ok();
        assertThat(dockerd.docker("diff", "changed").ok().lines()).contains("A /new", "D /etc/group");
        dockerd.docker("commit", "--change", "CMD cat /new", "changed", "committed:1")
                .ok();
        assertThat(dockerd.docker("run", "--rm", "--network", "none", "committed:1")
                        .ok()
                        .out())
                .isEqualTo("new\n");
    }

    @Test
    void imageIsBuiltStepByStep(@TempDir Path folder) throws IOException {
        Files.writeString(folder.resolve("file"), "from the context\n");
        Files.writeString(folder.resolve("Dockerfile"), """
                FROM %s
                COPY file /file
                ENV GREETING=hello
                RUN echo $GREETING > /greeting && cat /file >> /greeting
                USER 1234
                CMD ["cat", "/greeting"]
                """.formatted(Dockerd.BUSYBOX));
        dockerd.docker("build", "--network", "none", "--tag", "built:1", folder.toString())
                .ok();
        assertThat(dockerd.docker("run", "--rm", "--network", "none", "built:1")
                        .ok()
                        .out())
                .isEqualTo("hello\nfrom the context\n");
    }

    @Test
    void imageIsBuiltFromScratch(@TempDir Path folder) throws IOException {
        Files.copy(TestImage.busyboxLayer(), folder.resolve("root.tar"));
        Files.writeString(folder.resolve("Dockerfile"), """
                FROM scratch
                ADD root.tar /
                RUN ["/bin/busybox", "touch", "/made"]
                """);
        dockerd.docker("build", "--network", "none", "--tag", "scratch:1", folder.toString())
                .ok();
        dockerd.docker("run", "--rm", "--network", "none", "scratch:1", "/bin/ls", "/made")
                .ok();
    }

    @Test
    void failedStepFailsTheBuildWithItsCode(@TempDir Path folder) throws IOException {
        Files.writeString(folder.resolve("Dockerfile"), "FROM %s%nRUN exit 42%n".formatted(Dockerd.BUSYBOX));
        dockerd.docker("build", "--network", "none", folder.toString()).failedWith("returned a non-zero code: 42");
    }
}
