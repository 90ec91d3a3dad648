package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.longshore.api.runtime.bootstrap.v1.BootstrapParams;
import dev.longshore.api.runtime.bootstrap.v1.BootstrapResult;
import dev.longshore.api.task.v2.ConnectRequest;
import dev.longshore.api.task.v2.ConnectResponse;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.ttrpc.TtrpcClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A shim without containers ends. */
class IdleExitIT {

    private static final Duration PATIENCE = Duration.ofMinutes(1);

    @TempDir
    private Path folder;

    private ProcessHandle startIdle() throws Exception {
        Path in = folder.resolve("in");
        Files.write(
                in,
                BootstrapParams.newBuilder()
                        .setInstanceId("c")
                        .setSocketDir(folder.resolve("s").toString())
                        .build()
                        .toByteArray());
        ProcessBuilder builder = new ProcessBuilder(
                        LaidOutShim.in(folder).toString(), "-namespace", "idle", "-address", "d", "-id", "c", "start")
                .directory(folder.toFile())
                .redirectInput(in.toFile())
                .redirectOutput(folder.resolve("out").toFile());
        builder.environment().put("LONGSHORE_SHIM_IDLE_SECONDS", "1");
        Process launcher = builder.start();
        assertThat(launcher.waitFor(1, TimeUnit.MINUTES)).isTrue();
        String address = BootstrapResult.parseFrom(Files.readAllBytes(folder.resolve("out")))
                .getAddress();
        try (TtrpcClient client = TtrpcClient.connect(address, PATIENCE)) {
            ConnectResponse answer = client.call(
                    "containerd.task.v3.Task",
                    "Connect",
                    ConnectRequest.newBuilder().setId("c").build(),
                    ConnectResponse.parser(),
                    CallContext.of("idle", PATIENCE));
            return ProcessHandle.of(answer.getShimPid()).orElseThrow();
        }
    }

    @Test
    void idleShimEndsAndTakesItsFilesWithIt() throws Exception {
        ProcessHandle shim = startIdle();
        await().atMost(PATIENCE).until(() -> !shim.isAlive());
        try (var files = Files.list(folder.resolve("s"))) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .allSatisfy(name -> assertThat(name).endsWith(".lock"));
        }
    }

    @Test
    void idleShimWhoseSocketIsGoneEnds() throws Exception {
        ProcessHandle shim = startIdle();
        Files.move(folder.resolve("s"), folder.resolve("moved"));
        await().atMost(PATIENCE).until(() -> !shim.isAlive());
    }
}
