package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.Any;
import dev.longshore.api.v1.types.Status;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.linux.Fifo;
import dev.longshore.testkit.ContainerBundle;
import dev.longshore.testkit.FifoReader;
import dev.longshore.testkit.RecordedEvents;
import dev.longshore.testkit.ShimProgram;
import dev.longshore.testkit.ShimTask;
import dev.longshore.testkit.ShimTask.Stdio;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Containers whose shim is killed run on, and the next shim takes them over. */
class ShimDeathIT {

    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final int SIGKILL = 9;
    private static final int SIGTERM = 15;
    private static final Path BUSYBOX = Path.of("/usr/bin/busybox");

    @TempDir
    private Path folder;

    private final List<AutoCloseable> open = new ArrayList<>();
    private RecordedEvents events;
    private ShimProgram program;

    @BeforeEach
    void layOut() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root: mounts and runc");
        assumeTrue(Files.isExecutable(BUSYBOX), "busybox is not installed: apt-get install busybox-static");
        ContainerBundle.writeRoot(folder.resolve("root"), BUSYBOX);
        events = new RecordedEvents(folder.resolve("e"));
        open.add(events);
        program = new ShimProgram(
                LaidOutShim.in(folder.resolve("home")),
                Map.of("LONGSHORE_SHIM_IDLE_SECONDS", "5"),
                true,
                folder.resolve("d"),
                folder.resolve("e"));
    }

    @AfterEach
    void clearAway() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private ShimTask run(String id, boolean terminal, Stdio stdio, String script) throws IOException {
        ContainerBundle.Spec spec = ContainerBundle.spec("/shimdeath/" + id, List.of("sh", "-c", script));
        ShimTask task = ShimTask.start(
                program,
                "shimdeath",
                id,
                ContainerBundle.write(folder.resolve(id), terminal ? spec.terminal() : spec),
                Any.getDefaultInstance());
        open.add(task);
        assertThat(task.create(folder.resolve("root"), terminal, stdio, Any.getDefaultInstance()))
                .isPositive();
        assertThat(task.start("")).isPositive();
        // What is on its way to the daemon dies with the shim.
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(events.namesOf(id)).contains("create", "start"));
        return task;
    }

    /** As the daemon does when it loses the connection. */
    private ShimTask startAgain(ShimTask task) throws IOException {
        ShimTask again = ShimTask.start(program, task.namespace(), task.id(), task.bundle(), Any.getDefaultInstance());
        open.add(again);
        assertThat(again.started()).isEqualTo(task.started());
        return again;
    }

    private Path fifo(String name) throws IOException {
        Path fifo = folder.resolve(name);
        Fifo.make(fifo, 0700);
        return fifo;
    }

    private FifoReader read(Path fifo) throws IOException {
        FifoReader reader = FifoReader.start(fifo);
        open.add(reader);
        return reader;
    }

    @Test
    void allContainersOfTheGroupAreTakenOver() throws Exception {
        ShimTask first = run("first", false, Stdio.NULL, "trap 'exit 7' TERM; sleep 1000 & wait");
        ShimTask second = run("second", false, Stdio.NULL, "sleep 1000");
        int firstPid = first.connect().getTaskPid();
        int oldShim = first.connect().getShimPid();
        await().atMost(PATIENCE).until(() -> first.pids().getProcessesCount() == 2);
        first.killShim();
        assertThatThrownBy(() -> first.state("")).isInstanceOf(ContainerdException.class);
        assertThat(Path.of("/proc/" + firstPid)).exists();

        ShimTask again = startAgain(first);
        assertThat(again.connect().getShimPid()).isNotEqualTo(oldShim);
        assertThat(again.connect().getTaskPid()).isEqualTo(firstPid);
        assertThat(again.state("").getStatus()).isEqualTo(Status.RUNNING);
        assertThat(again.pids().getProcessesCount()).isEqualTo(2);
        assertThat(again.stats().getTypeUrl()).contains("io.containerd.cgroups");
        assertThat(again.run("e", "sh", "-c", "exit 3")).isEqualTo(3);

        again.kill("", SIGTERM, false);
        assertThat(again.await("").getExitStatus()).isEqualTo(7);
        assertThat(again.delete("").getExitStatus()).isEqualTo(7);
        assertThat(again.bundle().rootfs()).isEmptyDirectory();
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(events.namesOf("first"))
                        .containsExactly(
                                "create", "start", "exec-added e", "exec-started e", "exit e", "exit", "delete"));

        ShimTask other = startAgain(second);
        assertThat(other.state("").getStatus()).isEqualTo(Status.RUNNING);
        other.kill("", SIGKILL, false);
        assertThat(other.await("").getExitStatus()).isEqualTo(128 + SIGKILL);
    }

    @Test
    void containerThatEndedMeanwhileIsToldAsOneWhoseEndNobodySaw() throws Exception {
        ShimTask task = run("c", false, Stdio.NULL, "sleep 1000");
        int pid = task.connect().getTaskPid();
        task.killShim();
        ProcessHandle init = ProcessHandle.of(pid).orElseThrow();
        init.destroyForcibly();
        await().atMost(PATIENCE).until(() -> !init.isAlive());
        ShimTask again = startAgain(task);
        assertThat(again.await("").getExitStatus()).isEqualTo(255);
        assertThat(again.delete("").getPid()).isEqualTo(pid);
        await().atMost(PATIENCE)
                .untilAsserted(
                        () -> assertThat(events.namesOf("c")).containsExactly("create", "start", "exit", "delete"));
    }

    @Test
    void outputAndInputGoOnWithoutAShim() throws Exception {
        Path in = fifo("in");
        FifoReader out = read(folder.resolve("out"));
        ShimTask task =
                run("c", false, Stdio.of(in, folder.resolve("out")), "while read line; do echo got $line; done");
        try (FileOutputStream typing = new FileOutputStream(in.toFile())) {
            typing.write("one\n".getBytes(StandardCharsets.UTF_8));
            out.awaitText("got one\n");
            task.killShim();
            typing.write("two\n".getBytes(StandardCharsets.UTF_8));
            out.awaitText("got two\n");
            ShimTask again = startAgain(task);
            assertThat(again.state("").getStatus()).isEqualTo(Status.RUNNING);
            typing.write("three\n".getBytes(StandardCharsets.UTF_8));
            out.awaitText("got three\n");
            again.closeStdin("");
        }
        ShimTask again = startAgain(task);
        assertThat(again.await("").getExitStatus()).isZero();
        assertThat(again.delete("").getExitStatus()).isZero();
        assertThat(out.awaitEnd()).isEqualTo("got one\ngot two\ngot three\n");
    }

    @Test
    void terminalOutlivesTheShim() throws Exception {
        Path in = fifo("in");
        FifoReader out = read(folder.resolve("out"));
        ShimTask task = run(
                "c",
                true,
                Stdio.of(in, folder.resolve("out")),
                "while read line; do echo got $line; stty size; done; exit 5");
        try (FileOutputStream typing = new FileOutputStream(in.toFile())) {
            task.resize("", 97, 31);
            typing.write("one\n".getBytes(StandardCharsets.UTF_8));
            out.awaitText("31 97\r\n");
            task.killShim();
            typing.write("two\n".getBytes(StandardCharsets.UTF_8));
            out.awaitText("got two\r\n");

            ShimTask again = startAgain(task);
            assertThat(again.state("").getTerminal()).isTrue();
            again.resize("", 132, 43);
            typing.write("three\n".getBytes(StandardCharsets.UTF_8));
            out.awaitText("43 132\r\n");
            typing.write(4); // end of input
            assertThat(again.await("").getExitStatus()).isEqualTo(5);
            assertThat(again.delete("").getExitStatus()).isEqualTo(5);
        }
        assertThat(out.awaitEnd()).endsWith("43 132\r\n");
    }

    @Test
    void loggingProgramGoesOnWithoutAShim() throws Exception {
        Path log = folder.resolve("log");
        Path logger = folder.resolve("logger");
        Files.writeString(logger, "#!/bin/sh\nexec 5>&-\ncat <&3 >\"$2\"\n");
        assertThat(logger.toFile().setExecutable(true)).isTrue();
        String uri = "binary://%s?file=%s".formatted(logger, log);
        Path in = fifo("in");
        ShimTask task =
                run("c", false, new Stdio(in.toString(), uri, uri), "echo one; read x; echo two; read x; echo three");
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(log).hasContent("one"));
        try (FileOutputStream typing = new FileOutputStream(in.toFile())) {
            task.killShim();
            typing.write('\n');
            await().atMost(PATIENCE).untilAsserted(() -> assertThat(log).hasContent("one\ntwo"));
            ShimTask again = startAgain(task);
            // Until it answers nobody holds the process, and how that ends could not be known.
            assertThat(again.state("").getPid()).isPositive();
            typing.write('\n');
            assertThat(again.await("").getExitStatus()).isZero();
            assertThat(again.delete("").getExitStatus()).isZero();
        }
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(log).hasContent("one\ntwo\nthree"));
    }
}
