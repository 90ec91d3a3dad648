package dev.longshore.stargz.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.stargz.index.Toc;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A program that gets no more memory than it has. */
final class WantOfMemoryIT {

    private static final int FILES = 40;
    private static final int FILE_SIZE = 4000;
    private static final int SPARE = 512 << 10;

    @TempDir
    private Path folder;

    @BeforeEach
    void needsRoot() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        Files.createDirectory(folder.resolve("mount"));
        Toc toc = new Toc();
        for (int i = 0; i < FILES; i++) {
            toc.file("f" + i, FILE_SIZE);
        }
        toc.build(folder.resolve("index")).close();
    }

    private Process start() throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "-Xmx64m",
                        "-Xms64m",
                        "-Djdk.virtualThreadScheduler.parallelism=1",
                        "-XX:ErrorFile=" + folder.resolve("hs_err.log"),
                        "-cp",
                        System.getProperty("java.class.path"),
                        ServedLayer.class.getName(),
                        "mount",
                        folder.toString(),
                        "500000")
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        // Else each thread has room to spare that it has reserved.
        builder.environment().put("MALLOC_ARENA_MAX", "1");
        return builder.start();
    }

    /** From now on it gets no more memory from the kernel than a virtual machine needs for itself: less than a buffer. */
    private static void starve(Process process) throws IOException, InterruptedException {
        long pages = Long.parseLong(
                Files.readString(Path.of("/proc/" + process.pid() + "/statm")).split(" ", 2)[0]);
        Process limit = new ProcessBuilder(
                        "prlimit", "--pid", Long.toString(process.pid()), "--as=" + (pages * 4096 + SPARE))
                .inheritIO()
                .start();
        assertThat(limit.waitFor()).isZero();
    }

    private byte[] read(int file) throws IOException {
        return Files.readAllBytes(folder.resolve("mount/f" + file));
    }

    /** An answer that has to be waited for has a buffer of its own, up to eight at a time; some are kept. */
    @Test
    void readsThatThereIsNoMemoryForAreAnsweredWithAnError() throws Exception {
        Process server = start();
        try (ExecutorService readers = Executors.newCachedThreadPool()) {
            try (BufferedReader said =
                    new BufferedReader(new InputStreamReader(server.getInputStream(), StandardCharsets.UTF_8))) {
                assertThat(said.readLine()).startsWith("ready ");
                assertThat(read(0)).isEqualTo(PatternData.bytes(2, 0, FILE_SIZE));
                starve(server);
                List<Future<byte[]>> reads = new ArrayList<>();
                for (int i = 2; i < 18; i += 2) {
                    int file = i;
                    reads.add(readers.submit(() -> read(file)));
                }
                int refused = 0;
                for (Future<byte[]> read : reads) {
                    try {
                        read.get(20, TimeUnit.SECONDS);
                    } catch (ExecutionException e) {
                        assertThat(e).hasMessageContaining("Input/output error");
                        refused++;
                    }
                }
                assertThat(refused).isPositive();
                // With what memory it has it goes on.
                assertThat(read(20)).isEqualTo(PatternData.bytes(22, 0, FILE_SIZE));
            } finally {
                server.destroyForcibly();
                assertThat(server.waitFor(10, TimeUnit.SECONDS)).isTrue();
                // Whoever still waits is let go.
                FuseMount.discard(folder.resolve("mount"), folder.resolve("holder"));
            }
        }
    }
}
