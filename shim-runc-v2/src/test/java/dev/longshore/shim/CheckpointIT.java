package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.Any;
import com.google.protobuf.Empty;
import dev.longshore.api.runc.v1.CheckpointOptions;
import dev.longshore.api.task.v2.CheckpointTaskRequest;
import dev.longshore.api.task.v2.CreateTaskRequest;
import dev.longshore.api.task.v2.CreateTaskResponse;
import dev.longshore.api.types.Mount;
import dev.longshore.testkit.ContainerBundle;
import dev.longshore.testkit.FifoReader;
import dev.longshore.testkit.RecordedEvents;
import dev.longshore.testkit.ShimProgram;
import dev.longshore.testkit.ShimTask;
import dev.longshore.testkit.ShimTask.Stdio;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Containers are frozen into a folder by CRIU, and go on from there. */
class CheckpointIT {

    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final Path BUSYBOX = Path.of("/usr/bin/busybox");

    private static final String COUNT_ALOUD = "n=0; while true; do n=$((n + 1)); echo $n; sleep 0.1; done";
    private static final String COUNT_TO_FILE = "n=0; while true; do n=$((n + 1)); echo $n > /counted; sleep 0.1; done";

    @TempDir
    private Path folder;

    private final List<AutoCloseable> open = new ArrayList<>();
    private ShimProgram program;

    @BeforeEach
    void layOut() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root: mounts and runc");
        assumeTrue(Files.isExecutable(BUSYBOX), "busybox is not installed: apt-get install busybox-static");
        assumeTrue(Criu.installed(), "criu is not installed: apt-get install criu");
        Path said = folder.resolve("check");
        Process check = new ProcessBuilder("criu", "check")
                .redirectErrorStream(true)
                .redirectOutput(said.toFile())
                .start();
        assertThat(check.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assumeTrue(check.exitValue() == 0, () -> "CRIU does not work on this machine: " + lastLine(said));
        ContainerBundle.writeRoot(folder.resolve("root"), BUSYBOX);
        open.add(new RecordedEvents(folder.resolve("e")));
        program = new ShimProgram(
                LaidOutShim.in(folder.resolve("home")),
                Map.of("LONGSHORE_SHIM_IDLE_SECONDS", "5"),
                true,
                folder.resolve("d"),
                folder.resolve("e"));
    }

    private static String lastLine(Path file) {
        try {
            return Files.readAllLines(file).getLast();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @AfterEach
    void clearAway() throws Exception {
        while (!open.isEmpty()) {
            open.removeLast().close();
        }
    }

    private ShimTask task(String id, String script) throws IOException {
        ContainerBundle.Spec spec = ContainerBundle.spec("/checkpoint/" + id, List.of("sh", "-c", script));
        ShimTask task = ShimTask.start(
                program, "checkpoint", id, ContainerBundle.write(folder.resolve(id), spec), Any.getDefaultInstance());
        open.add(task);
        return task;
    }

    private void checkpoint(ShimTask task, Path image) {
        task.call(
                "Checkpoint",
                CheckpointTaskRequest.newBuilder()
                        .setId(task.id())
                        .setPath(image.toString())
                        .setOptions(Any.newBuilder()
                                .setTypeUrl("containerd.runc.v1.CheckpointOptions")
                                .setValue(CheckpointOptions.newBuilder()
                                        .setExit(true)
                                        .build()
                                        .toByteString()))
                        .build(),
                Empty.parser());
        task.await("");
    }

    @Test
    void containerThatWritesToAClientIsFrozen() throws IOException {
        FifoReader output = FifoReader.start(folder.resolve("output"));
        open.add(output);
        ShimTask task = task("writes", COUNT_ALOUD);
        task.create(folder.resolve("root"), false, Stdio.output(folder.resolve("output")), Any.getDefaultInstance());
        task.start("");
        output.awaitText("5\n");
        checkpoint(task, folder.resolve("image"));
        assertThat(folder.resolve("image/inventory.img")).isNotEmptyFile();
    }

    @Test
    void countingGoesOnWhereItWasFrozen() throws IOException {
        Path image = folder.resolve("image");
        Path counted = folder.resolve("root/counted");
        ShimTask frozen = task("frozen", COUNT_TO_FILE);
        frozen.create(folder.resolve("root"), false, Stdio.NULL, Any.getDefaultInstance());
        frozen.start("");
        await().atMost(PATIENCE).until(() -> count(counted) > 5);
        checkpoint(frozen, image);
        int last = count(counted);
        Files.delete(counted);

        ShimTask thawed = task("thawed", COUNT_TO_FILE);
        thawed.call(
                "Create",
                CreateTaskRequest.newBuilder()
                        .setId("thawed")
                        .setBundle(folder.resolve("thawed").toString())
                        .addRootfs(Mount.newBuilder()
                                .setType("bind")
                                .setSource(folder.resolve("root").toString())
                                .addAllOptions(List.of("rbind", "rw")))
                        .setCheckpoint(image.toString())
                        .build(),
                CreateTaskResponse.parser());
        assertThat(thawed.start("")).isPositive();
        await().atMost(PATIENCE).until(() -> Files.exists(counted));
        await().atMost(PATIENCE).until(() -> count(counted) > last);
        assertThat(count(counted)).isLessThan(last + 1000);
        thawed.kill("", 9, true);
        assertThat(thawed.await("").getExitStatus()).isEqualTo(137);
    }

    private static int count(Path file) throws IOException {
        String text = Files.exists(file) ? Files.readString(file).strip() : "";
        return text.isEmpty() ? 0 : Integer.parseInt(text);
    }
}
