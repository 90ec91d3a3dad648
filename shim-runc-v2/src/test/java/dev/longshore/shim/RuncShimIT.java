package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.Any;
import dev.longshore.api.runc.v1.Options;
import dev.longshore.api.runtime.bootstrap.v1.BootstrapParams;
import dev.longshore.api.runtime.bootstrap.v1.BootstrapResult;
import dev.longshore.api.task.v2.StateRequest;
import dev.longshore.api.task.v2.StateResponse;
import dev.longshore.api.types.RuntimeInfo;
import dev.longshore.api.v1.types.Status;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.testkit.FifoReader;
import dev.longshore.testkit.ShimContract;
import dev.longshore.testkit.ShimTask;
import dev.longshore.testkit.ShimTask.Stdio;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Our shim passes the contract, and does what containerd's does not. */
class RuncShimIT extends ShimContract {

    @TempDir
    private static Path home;

    @Override
    protected Path program() {
        try {
            return LaidOutShim.in(home);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    protected Map<String, String> environment() {
        // Nobody looks after the process when the tests are over.
        return Map.of("LONGSHORE_SHIM_IDLE_SECONDS", "20");
    }

    @Test
    void clientMayComeLate() throws Exception {
        Path fifo = fifo("out");
        ShimTask task = run("echo early; " + SLEEP, Stdio.output(fifo));
        assertThat(task.state("").getStatus()).isEqualTo(Status.RUNNING);
        FifoReader out = read(fifo);
        out.awaitText("early");
        task.kill("", SIGKILL, true);
        assertThat(task.await("").getExitStatus()).isEqualTo(128 + SIGKILL);
        assertThat(task.delete("").getExitStatus()).isEqualTo(128 + SIGKILL);
        assertThat(out.awaitEnd()).isEqualTo("early\n");
    }

    @Test
    void failuresAtTheSameTimeAreToldToThoseTheyAreOf() throws Exception {
        ShimTask task = run(SLEEP, Stdio.NULL);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> execs = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                String execId = "e" + i;
                execs.add(threads.submit(() -> {
                    task.exec(execId, false, Stdio.NULL, List.of("/no/such/" + execId));
                    assertThatThrownBy(() -> task.start(execId)).hasMessageContaining("/no/such/" + execId);
                }));
            }
            for (Future<?> exec : execs) {
                Object _ = exec.get();
            }
        }
    }

    @Test
    void containersOfANamespaceShareAShim() throws IOException {
        ShimTask first = run(SLEEP, Stdio.NULL);
        ShimTask second = run(SLEEP, Stdio.NULL);
        assertThat(second.connect().getShimPid()).isEqualTo(first.connect().getShimPid());
    }

    @Test
    void bothVersionsAreServed() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        for (String service : List.of("containerd.task.v2.Task", "containerd.task.v3.Task")) {
            assertThat(task.client()
                            .call(
                                    service,
                                    "State",
                                    StateRequest.newBuilder().setId(task.id()).build(),
                                    StateResponse.parser(),
                                    CallContext.of(NAMESPACE, PATIENCE))
                            .getStatus())
                    .isEqualTo(Status.RUNNING);
        }
    }

    @Test
    void answerToStartIsOfTheFormThatTheDaemonKnows() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        byte[] params = BootstrapParams.newBuilder()
                .setInstanceId(task.id())
                .setNamespace(NAMESPACE)
                .build()
                .toByteArray();
        Path bundle = task.bundle().path();
        BootstrapResult result = BootstrapResult.parseFrom(shim().call(NAMESPACE, task.id(), bundle, params, "start"));
        assertThat(result.getVersion()).isEqualTo(3);
        assertThat(result.getAddress()).isEqualTo(task.started().address());
        assertThat(result.getProtocol()).isEqualTo("ttrpc");
        assertThat(result.getMetadataMap()).containsEntry("dev.longshore.reattach", "true");
        byte[] options = any(Options.newBuilder().setBinaryName("runc").build()).toByteArray();
        for (byte[] older : List.of(new byte[0], options)) {
            assertThat(new String(shim().call(NAMESPACE, task.id(), bundle, older, "start"), StandardCharsets.UTF_8))
                    .isEqualTo(task.started().address());
        }
    }

    @Test
    void informationIsOfTheRuntime() throws IOException {
        RuntimeInfo info = RuntimeInfo.parseFrom(shim().run(folder(), new byte[0], List.of("-info")));
        assertThat(info.getName()).isEqualTo("io.containerd.runc.v2");
        assertThat(info.getVersion().getVersion()).isNotEmpty();
    }

    @Test
    void loggingProgramOfTheSecondKindSaysWithAByteThatItIsReady() throws IOException {
        Path logger = writeLogger();
        Files.writeString(
                logger,
                Files.readString(logger).replace("exec 5>&-", "printf x >&5; exec 5>&-"),
                StandardCharsets.UTF_8);
        Path log = folder().resolve("log");
        String uri = "binary-v2://%s?file=%s".formatted(logger, log);
        ShimTask task = run("echo one", new Stdio("", uri, uri));
        assertThat(task.await("").getExitStatus()).isZero();
        assertThat(task.delete("").getExitStatus()).isZero();
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(log).content().contains("out one\n"));
    }

    @Test
    void loggingProgramOfTheSecondKindThatDoesNotSaySoIsRefused() throws IOException {
        String uri = "binary-v2://" + writeLogger() + "?file=" + folder().resolve("log");
        ShimTask task = shimFor(script(SLEEP));
        assertThatThrownBy(() -> task.create(root(), false, new Stdio("", uri, uri), Any.getDefaultInstance()))
                .isInstanceOf(ContainerdException.class);
        assertThat(task.bundle().rootfs()).isEmptyDirectory();
    }

    @Test
    void outputOfATerminalGoesToALoggingProgram() throws IOException {
        Path log = folder().resolve("log");
        String uri = "binary://%s?file=%s".formatted(writeLogger(), log);
        ShimTask task = run(script("echo one").terminal(), new Stdio("", uri, ""));
        assertThat(task.await("").getExitStatus()).isZero();
        assertThat(task.delete("").getExitStatus()).isZero();
        await().atMost(PATIENCE).untilAsserted(() -> assertThat(log).content().contains("out one"));
    }

    @Test
    void idsThatAreNotIdentifiersAreRefused() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        for (String execId : List.of("../e", "a/b", "-e", "")) {
            assertThatThrownBy(() -> task.exec(execId, false, Stdio.NULL, List.of("true")))
                    .as(execId)
                    .isInstanceOf(InvalidArgumentException.class);
        }
        // A name of a file of the container's first process.
        assertThat(task.run("init", "true")).isZero();
        assertThat(task.bundle().path().resolve("init.pid"))
                .hasContent(Integer.toString(task.connect().getTaskPid()));
    }

    @Test
    void inputThatIsNotThereIsRefusedAndNotMade() throws IOException {
        ShimTask task = shimFor(script(SLEEP));
        Path in = folder().resolve("none");
        assertThatThrownBy(() -> task.create(root(), false, new Stdio(in.toString(), "", ""), Any.getDefaultInstance()))
                .isInstanceOf(InvalidArgumentException.class);
        assertThat(in).doesNotExist();
    }

    @Test
    void optionsOfAnotherRuntimeAreRefused() throws IOException {
        ShimTask task = shimFor(script(SLEEP));
        Any options = Any.newBuilder().setTypeUrl("runtimeoptions.v1.Options").build();
        assertThatThrownBy(() -> task.create(root(), false, Stdio.NULL, options))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("runtimeoptions.v1.Options");
    }

    @Test
    void nothingIsLeftInTheBundle() throws IOException {
        ShimTask task = run(SLEEP, Stdio.NULL);
        List<String> before = list(task.bundle().path());
        assertThat(task.run("e", "true")).isZero();
        task.exec("t", true, Stdio.NULL, List.of("true"));
        assertThat(task.start("t")).isPositive();
        assertThat(task.await("t").getExitStatus()).isZero();
        assertThat(task.delete("t").getExitStatus()).isZero();
        task.exec("missing", false, Stdio.NULL, List.of("/no/such/command"));
        assertThatThrownBy(() -> task.start("missing")).isInstanceOf(ContainerdException.class);
        assertThat(task.delete("missing").getPid()).isZero();
        assertThat(task.pids().getProcessesCount()).isPositive();
        assertThat(list(task.bundle().path())).isEqualTo(before);
    }

    private static List<String> list(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }
}
