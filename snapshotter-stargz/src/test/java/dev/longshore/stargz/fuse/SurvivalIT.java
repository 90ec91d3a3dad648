package dev.longshore.stargz.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.index.Toc;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Mounts whose program is killed. */
final class SurvivalIT {

    private static final int READERS = 10;
    private static final int ROUNDS = Integer.parseInt(System.getenv().getOrDefault("LONGSHORE_TEST_ROUNDS", "8"));

    private static final int FILES = 40;
    private static final int FILE_SIZE = 700_000;

    @TempDir
    Path folder;

    private final Random random = new Random(20261126);

    @BeforeEach
    void needsRoot() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        Files.createDirectory(folder.resolve("mount"));
    }

    @AfterEach
    void unmount() throws IOException {
        FuseMount.discard(folder.resolve("mount"), folder.resolve("holder"));
    }

    private Process start(String mode, int readMicros) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "-Xmx64m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        ServedLayer.class.getName(),
                        mode,
                        folder.toString(),
                        Integer.toString(readMicros))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    /** Whether the kernel sends requests again. */
    private static boolean awaitReady(Process process) throws IOException {
        BufferedReader reader =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        String line = reader.readLine();
        assertThat(line).startsWith("ready ");
        return line.endsWith("true");
    }

    private static void kill(Process process) throws InterruptedException {
        process.destroyForcibly();
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
    }

    private void build() throws IOException {
        Toc toc = new Toc();
        for (int i = 0; i < FILES; i++) {
            toc.file("f" + i, FILE_SIZE);
        }
        toc.build(folder.resolve("index")).close();
    }

    @Test
    void readersWaitForTheNextProgramAndGetEveryByte() throws Exception {
        build();
        Process server = start("mount", 2000);
        assumeTrue(awaitReady(server), "the kernel does not send requests again: it is older than 6.9");
        AtomicBoolean go = new AtomicBoolean(true);
        AtomicLong reads = new AtomicLong();
        long slowest = 0;
        try (ExecutorService readers = Executors.newFixedThreadPool(READERS)) {
            List<Future<Long>> running = new ArrayList<>();
            for (int i = 0; i < READERS; i++) {
                int seed = i;
                running.add(readers.submit(() -> readUntilTold(seed, go, reads)));
            }
            for (int round = 0; round < ROUNDS; round++) {
                awaitReads(running, reads, reads.get() + random.nextInt(100));
                kill(server);
                long before = reads.get();
                long begin = System.nanoTime();
                server = start("adopt", 2000);
                awaitReady(server);
                while (reads.get() < before + READERS) {
                    assertThat(running)
                            .as("readers, which end only with an error")
                            .noneMatch(Future::isDone);
                    TimeUnit.MILLISECONDS.sleep(1);
                }
                slowest = Math.max(slowest, System.nanoTime() - begin);
            }
            go.set(false);
            long bytes = 0;
            for (Future<Long> reader : running) {
                bytes += reader.get(60, TimeUnit.SECONDS);
            }
            System.out.printf(
                    "%d rounds, %d reads, %d bytes compared; slowest from start to %d reads: %d ms%n",
                    ROUNDS, reads.get(), bytes, READERS, slowest / 1_000_000);
        } finally {
            go.set(false);
            kill(server);
        }
    }

    private static void awaitReads(List<Future<Long>> running, AtomicLong reads, long count) {
        Awaitility.await()
                .pollInterval(Duration.ofMillis(1))
                .atMost(Duration.ofMinutes(1))
                .until(() -> {
                    assertThat(running)
                            .as("readers, which end only with an error")
                            .noneMatch(Future::isDone);
                    return reads.get() >= count;
                });
    }

    /** Reads at random places, past the page cache at times, and compares. */
    private long readUntilTold(int seed, AtomicBoolean go, AtomicLong reads) {
        Random places = new Random(seed);
        long bytes = 0;
        while (go.get()) {
            int file = places.nextInt(FILES);
            Path path = folder.resolve("mount/f" + file);
            try (RandomAccessFile access = new RandomAccessFile(path.toFile(), "r")) {
                for (int i = 0; i < 4; i++) {
                    int length = 1 + places.nextInt(100_000);
                    long at = places.nextInt(FILE_SIZE - length);
                    byte[] read = new byte[length];
                    access.seek(at);
                    access.readFully(read);
                    if (!Arrays.equals(read, PatternData.bytes(file + 2, at, length))) {
                        throw new AssertionError("wrong bytes at %d of %s".formatted(at, path));
                    }
                    bytes += length;
                    reads.incrementAndGet();
                }
                if (places.nextInt(4) == 0) {
                    dropCaches();
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return bytes;
    }

    private static void dropCaches() throws IOException {
        Files.writeString(Path.of("/proc/sys/vm/drop_caches"), "3");
    }

    @Test
    void passthroughGoesOnUnderTheNextProgram() throws Exception {
        build();
        Files.write(folder.resolve("backing"), PatternData.bytes(2, 0, FILE_SIZE));
        Process server = start("mount", 0);
        awaitReady(server);
        try (RandomAccessFile held =
                new RandomAccessFile(folder.resolve("mount/f0").toFile(), "r")) {
            for (int round = 0; round < 2; round++) {
                kill(server);
                server = start("adopt", 0);
                awaitReady(server);
                byte[] read = new byte[FILE_SIZE];
                held.seek(0);
                held.readFully(read);
                assertThat(read).isEqualTo(PatternData.bytes(2, 0, FILE_SIZE));
                assertThat(Files.readAllBytes(folder.resolve("mount/f0"))).isEqualTo(read);
                assertThat(Files.readAllBytes(folder.resolve("mount/f1")))
                        .isEqualTo(PatternData.bytes(3, 0, FILE_SIZE));
            }
        } finally {
            kill(server);
        }
    }

    @Test
    void theHolderHasNothingButTheDescriptorAndEndsWithTheMount() throws Exception {
        build();
        Process server = start("mount", 0);
        awaitReady(server);
        try {
            int pid = Holder.read(folder.resolve("holder")).orElseThrow().pid();
            Path process = Path.of("/proc/" + pid);
            try (var descriptors = Files.list(process.resolve("fd"))) {
                assertThat(descriptors.map(SurvivalIT::target))
                        .containsExactlyInAnyOrder("/dev/null", "/dev/null", "/dev/null", "/dev/fuse");
            }
            assertThat(Files.readString(process.resolve("environ"))).isEqualTo("LONGSHORE_HOLDS=sha256:survivor\0");
            assertThat(Files.readSymbolicLink(process.resolve("cwd"))).isEqualTo(Path.of("/"));
            // A session of its own: what is sent to the program's group does not reach it.
            assertThat(Files.readString(process.resolve("stat")).split(" ")[5]).isEqualTo(Integer.toString(pid));
            kill(server);
            FuseMount.discard(folder.resolve("mount"), folder.resolve("holder"));
            // Of init, not ours to reap: as good as gone when it is a zombie.
            assertThat(ProcessHandle.of(pid).filter(ProcessHandle::isAlive).isPresent()
                            && Files.exists(process.resolve("fd/3")))
                    .isFalse();
        } finally {
            kill(server);
        }
    }

    private static String target(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aMountThatNobodyHoldsIsDead() throws Exception {
        build();
        Process server = start("mount", 0);
        awaitReady(server);
        Holder holder = Holder.read(folder.resolve("holder")).orElseThrow();
        kill(server);
        holder.end();
        try (LayerIndex index = LayerIndex.open(folder.resolve("index"));
                FuseWorkers workers = new FuseWorkers(1)) {
            assertThatThrownBy(() -> FuseMount.adopt(
                            folder.resolve("mount"),
                            index,
                            new PatternData(),
                            FuseOptions.of("sha256:survivor"),
                            workers,
                            folder.resolve("holder")))
                    .isInstanceOf(FailedPreconditionException.class)
                    .hasMessageContaining("process " + holder.pid());
        }
        assertThatThrownBy(() -> Files.readAllBytes(folder.resolve("mount/f1"))).isInstanceOf(IOException.class);
        FuseMount.discard(folder.resolve("mount"), folder.resolve("holder"));
        assertThat(folder.resolve("mount")).isEmptyDirectory();
        assertThat(folder.resolve("holder")).doesNotExist();
    }

    @Test
    void aProcessOfTheSameNumberIsNotTheHolder() throws Exception {
        Holder other = new Holder((int) ProcessHandle.current().pid(), 1, Optional.empty());
        assertThat(other.take()).isEmpty();
        other.end(); // of us, if it were taken for the holder
    }
}
