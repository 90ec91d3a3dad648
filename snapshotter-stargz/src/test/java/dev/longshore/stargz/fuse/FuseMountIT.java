package dev.longshore.stargz.fuse;

import static dev.longshore.stargz.index.Toc.entry;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.estargz.EntryType;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.MountCalls;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.index.Toc;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FuseMountIT {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    @TempDir
    Path folder;

    private final FuseWorkers workers = new FuseWorkers(8);
    private final List<FuseMount> mounts = new ArrayList<>();
    private final List<Path> others = new ArrayList<>();
    private final List<LayerIndex> indexes = new ArrayList<>();

    @BeforeEach
    void needsRoot() {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
    }

    @AfterEach
    void unmount() throws Exception {
        for (Path other : others.reversed()) {
            MountCalls.unmount(other, MountCalls.MNT_DETACH);
        }
        for (FuseMount mount : mounts) {
            mount.unmount();
            assertThat(mount.awaitEnd(PATIENCE)).isTrue();
        }
        indexes.forEach(LayerIndex::close);
        workers.close();
    }

    private FuseMount mount(Toc toc, FileData data) throws IOException {
        return mount(toc, data, FuseOptions.of("sha256:test"));
    }

    private FuseMount mount(Toc toc, FileData data, FuseOptions options) throws IOException {
        int number = mounts.size();
        LayerIndex index = toc.build(folder.resolve("index" + number));
        indexes.add(index);
        Path target = Files.createDirectory(folder.resolve("mount" + number));
        FuseMount mount = FuseMount.mount(
                target, "stargz-test", index, data, options, workers, folder.resolve("holder" + number));
        mounts.add(mount);
        return mount;
    }

    private static Toc layer() {
        return new Toc()
                .dir("bin", 0711)
                .add(entry("bin/su", EntryType.REG)
                        .size(5000)
                        .mode(04755)
                        .owner(0, 0)
                        .at(200))
                .add(entry("bin/sh", EntryType.SYMLINK).link("su"))
                .hardlink("bin/link", "bin/su")
                .add(entry("dev/null", EntryType.CHAR).device(1, 3).mode(0666))
                .add(entry("dev/disk", EntryType.BLOCK).device(259, 70000).mode(0600))
                .add(entry("dev/pipe", EntryType.FIFO).mode(0644))
                .add(entry("empty", EntryType.REG))
                .add(entry("tmp", EntryType.DIR).mode(01777));
    }

    @Test
    void aLayerIsShownAsItsTableSays() throws Exception {
        Path root = mount(layer(), new PatternData()).target();

        try (Stream<Path> walk = Files.walk(root)) {
            assertThat(walk.map(path -> root.relativize(path).toString()))
                    .containsExactlyInAnyOrder(
                            "",
                            "bin",
                            "bin/su",
                            "bin/sh",
                            "bin/link",
                            "dev",
                            "dev/null",
                            "dev/disk",
                            "dev/pipe",
                            "empty",
                            "tmp");
        }
        FileStat su = FileStat.of(root.resolve("bin/su"));
        assertThat(su.mode()).isEqualTo(FileStat.S_IFREG | 04755);
        assertThat(su.size()).isEqualTo(5000);
        assertThat(su.blocks()).isEqualTo(10);
        assertThat(su.links()).isEqualTo(2);
        assertThat(su.modified()).isEqualTo(Toc.TIME);
        assertThat(FileStat.of(root.resolve("bin/link")).inode()).isEqualTo(su.inode());
        assertThat(FileStat.of(root.resolve("bin")).mode()).isEqualTo(FileStat.S_IFDIR | 0711);
        assertThat(FileStat.of(root.resolve("bin")).uid()).isEqualTo(7);
        assertThat(FileStat.of(root.resolve("tmp")).mode()).isEqualTo(FileStat.S_IFDIR | 01777);
        assertThat(FileStat.of(root.resolve("dev")).links()).isEqualTo(2);
        assertThat(Files.readSymbolicLink(root.resolve("bin/sh"))).isEqualTo(Path.of("su"));
        FileStat disk = FileStat.of(root.resolve("dev/disk"));
        assertThat(disk.mode()).isEqualTo(FileStat.S_IFBLK | 0600);
        assertThat(disk.specialDevice()).isEqualTo(259L << 32 | 70000);
        assertThat(FileStat.of(root.resolve("dev/pipe")).mode()).isEqualTo(FileStat.S_IFIFO | 0644);
        try (InputStream nothing = Files.newInputStream(root.resolve("dev/null"))) {
            assertThat(nothing.read()).isEqualTo(-1);
        }
        assertThat(Files.readAllBytes(root.resolve("bin/sh"))).isEqualTo(PatternData.bytes(3, 0, 5000));
        assertThat(Files.readAllBytes(root.resolve("empty"))).isEmpty();
    }

    @Test
    void nothingCanBeChanged() throws Exception {
        Path root = mount(layer(), new PatternData()).target();
        assertThatThrownBy(() -> Files.createFile(root.resolve("new"))).hasMessageContaining("Read-only");
        assertThatThrownBy(() -> Files.delete(root.resolve("empty"))).hasMessageContaining("Read-only");
        assertThatThrownBy(() -> Files.write(root.resolve("empty"), new byte[1]))
                .hasMessageContaining("Read-only");
        assertThatThrownBy(() -> Xattrs.set(root.resolve("empty"), "user.a", new byte[1]))
                .hasMessageContaining("Read-only");
    }

    @Test
    void namesThatAreNotThereAreRememberedAndOthersFound() throws Exception {
        Path root = mount(layer(), new PatternData()).target();
        for (int i = 0; i < 3; i++) {
            assertThat(Files.exists(root.resolve("nothing"))).isFalse();
            assertThat(Files.exists(root.resolve("bin/su/nothing"))).isFalse();
            assertThat(Files.exists(root.resolve("bin/su"))).isTrue();
        }
    }

    @Test
    void aFolderOfFiftyThousandNamesIsListedWhole() throws Exception {
        Toc toc = new Toc();
        Set<String> expected = new TreeSet<>();
        for (int i = 0; i < 50_000; i++) {
            String name = "a-file-with-a-long-name-" + "x".repeat(i % 100) + i;
            toc.add(entry("many/" + name, EntryType.REG));
            expected.add(name);
        }
        Path root = mount(toc, new PatternData()).target();
        long begin = System.nanoTime();
        for (int round = 0; round < 2; round++) {
            List<String> found = new ArrayList<>();
            try (Stream<Path> list = Files.list(root.resolve("many"))) {
                list.forEach(path -> found.add(path.getFileName().toString()));
            }
            assertThat(found).hasSize(50_000);
            assertThat(new TreeSet<>(found)).isEqualTo(expected);
        }
        System.out.printf("two listings of 50000 names: %d ms%n", (System.nanoTime() - begin) / 1_000_000);
    }

    @Test
    void extendedAttributesAreBinary() throws Exception {
        byte[] capability = {1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        byte[] large = PatternData.bytes(1, 0, 60_000);
        Toc toc = new Toc()
                .add(entry("ping", EntryType.REG)
                        .mode(0755)
                        .xattrs(Map.of("security.capability", capability, "user.bytes", new byte[] {0, 10, -1, 0})))
                .add(entry("large", EntryType.DIR).mode(0755).xattrs(Map.of("user.large", large)))
                .add(entry("none", EntryType.REG));
        Path root = mount(toc, new PatternData()).target();
        assertThat(Xattrs.get(root.resolve("ping"), "security.capability")).contains(capability);
        assertThat(Xattrs.get(root.resolve("ping"), "user.bytes")).contains(new byte[] {0, 10, -1, 0});
        assertThat(Xattrs.get(root.resolve("ping"), "user.other")).isEmpty();
        assertThat(Xattrs.list(root.resolve("ping"))).containsExactly("security.capability", "user.bytes");
        assertThat(Xattrs.get(root.resolve("large"), "user.large")).contains(large);
        assertThat(Xattrs.list(root.resolve("none"))).isEmpty();
    }

    @Test
    void aLayerWithoutExtendedAttributesSaysSoOnce() throws Exception {
        Path root = mount(layer(), new PatternData()).target();
        for (int i = 0; i < 2; i++) {
            assertThat(Xattrs.list(root.resolve("bin/su"))).isEmpty();
            assertThatThrownBy(() -> Xattrs.get(root.resolve("bin/su"), "user.a"))
                    .isInstanceOfSatisfying(
                            ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EOPNOTSUPP));
        }
    }

    @Test
    void overlayfsHidesWhatWhiteoutsName() throws Exception {
        Path lower = mount(
                        new Toc()
                                .file("d/gone", 1)
                                .file("d/here", 1)
                                .file("o/below", 1)
                                .dir("x", 0700),
                        new PatternData())
                .target();
        Path upper = mount(
                        new Toc()
                                .add(entry("d/.wh.gone", EntryType.REG))
                                .add(entry("o/.wh..wh..opq", EntryType.REG))
                                .add(entry("o/above", EntryType.REG))
                                .add(entry(".wh.x", EntryType.REG)),
                        new PatternData())
                .target();
        assertThat(FileStat.of(upper.resolve("d/gone")).mode() & FileStat.S_IFMT)
                .isEqualTo(FileStat.S_IFCHR);
        assertThat(FileStat.of(upper.resolve("d/gone")).specialDevice()).isZero();
        assertThat(Xattrs.get(upper.resolve("o"), "trusted.overlay.opaque")).contains("y".getBytes(UTF_8));
        assertThat(Xattrs.list(upper.resolve("o"))).containsExactly("trusted.overlay.opaque");

        Path merged = Files.createDirectory(folder.resolve("merged"));
        Path changes = Files.createDirectory(folder.resolve("changes"));
        Path work = Files.createDirectory(folder.resolve("work"));
        MountCalls.mount(
                "overlay",
                merged,
                "overlay",
                0,
                "lowerdir=%s:%s,upperdir=%s,workdir=%s".formatted(upper, lower, changes, work));
        others.add(merged);
        try (Stream<Path> walk = Files.walk(merged)) {
            assertThat(walk.map(path -> merged.relativize(path).toString()))
                    .containsExactlyInAnyOrder("", "d", "d/here", "o", "o/above");
        }
        Files.writeString(merged.resolve("d/here"), "copied up");
        assertThat(merged.resolve("d/here")).hasContent("copied up");
        assertThat(Files.readAllBytes(lower.resolve("d/here"))).isEqualTo(PatternData.bytes(4, 0, 1));
    }

    @Test
    void filesOfMoreThanFourGibibytesAreReadAtAnyOffset() throws Exception {
        long size = (5L << 30) + 12_345;
        Path root =
                mount(new Toc().file("big", size, 64L << 20), new PatternData()).target();
        assertThat(Files.size(root.resolve("big"))).isEqualTo(size);
        try (RandomAccessFile file = new RandomAccessFile(root.resolve("big").toFile(), "r")) {
            for (long at : new long[] {0, 1, (1L << 32) - 5, 1L << 32, (5L << 30) + 7, size - 1}) {
                byte[] bytes = new byte[(int) Math.min(10_000, size - at)];
                file.seek(at);
                file.readFully(bytes);
                assertThat(bytes).isEqualTo(PatternData.bytes(2, at, bytes.length));
            }
            file.seek(size);
            assertThat(file.read()).isEqualTo(-1);
        }
    }

    @Test
    void manyReadersGetTheirBytesWhileSomeWaitForTheNetwork() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        Toc toc = new Toc().file("slow", 300_000).file("fast", 3_000_000);
        PatternData data = new PatternData() {
            @Override
            boolean isRemote(int inode) {
                return inode == 2;
            }

            @Override
            public void read(int inode, long offset, ByteBuffer to) throws IOException {
                await(gate);
                super.read(inode, offset, to);
            }
        };
        Path root = mount(toc, data).target();
        try (ExecutorService readers =
                Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory())) {
            List<Future<byte[]>> slow = new ArrayList<>();
            List<Future<byte[]>> fast = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                slow.add(readers.submit(() -> Files.readAllBytes(root.resolve("slow"))));
            }
            for (int i = 0; i < 4; i++) {
                fast.add(readers.submit(() -> Files.readAllBytes(root.resolve("fast"))));
            }
            for (Future<byte[]> read : fast) {
                assertThat(read.get(30, TimeUnit.SECONDS)).isEqualTo(PatternData.bytes(3, 0, 3_000_000));
            }
            assertThat(slow).noneMatch(Future::isDone);
            assertThat(Files.exists(root.resolve("nothing"))).isFalse();
            gate.countDown();
            for (Future<byte[]> read : slow) {
                assertThat(read.get(30, TimeUnit.SECONDS)).isEqualTo(PatternData.bytes(2, 0, 300_000));
            }
        }
        assertThat(data.remoteReads.get()).isPositive();
    }

    @Test
    void aReaderThatWaitsCanBeKilledAndOtherSignalsDoNotDisturbIt() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        CountDownLatch waiting = new CountDownLatch(2);
        PatternData data = new PatternData() {
            @Override
            boolean isRemote(int inode) {
                return true;
            }

            @Override
            public void read(int inode, long offset, ByteBuffer to) throws IOException {
                waiting.countDown();
                FuseMountIT.await(gate);
                super.read(inode, offset, to);
            }
        };
        Path root = mount(new Toc().file("doomed", 3000).file("patient", 3000), data)
                .target();
        Path copy = folder.resolve("copy");
        Process doomed = dd(root.resolve("doomed"), folder.resolve("nothing"));
        Process patient = dd(root.resolve("patient"), copy);
        try {
            assertThat(waiting.await(30, TimeUnit.SECONDS)).isTrue();
            // dd tells how far it is at this one, which must not end the read; nor keep us from seeing the next.
            signal("USR1", doomed);
            signal("USR1", patient);
            signal("KILL", doomed);
            assertThat(doomed.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(patient.isAlive()).isTrue();
            gate.countDown();
            assertThat(patient.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(patient.exitValue()).isZero();
            assertThat(Files.readAllBytes(copy)).isEqualTo(PatternData.bytes(3, 0, 3000));
        } finally {
            gate.countDown();
            doomed.destroyForcibly();
            patient.destroyForcibly();
        }
    }

    /** Reads past the page cache: waiting for a page of it can be killed without our doing. */
    private static Process dd(Path from, Path to) throws IOException {
        return new ProcessBuilder("dd", "if=" + from, "of=" + to, "bs=1M", "iflag=direct")
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    private static void signal(String name, Process process) throws IOException, InterruptedException {
        assertThat(new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
                        .start()
                        .waitFor())
                .isZero();
    }

    private static void await(CountDownLatch gate) throws IOException {
        try {
            if (!gate.await(60, TimeUnit.SECONDS)) {
                throw new IOException("the gate stays closed");
            }
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    @Test
    void bytesThatCannotBeHadAreAnErrorOfThatRead() throws Exception {
        AtomicReference<Optional<IOException>> failure = new AtomicReference<>(Optional.of(new IOException("gone")));
        PatternData data = new PatternData() {
            @Override
            boolean isRemote(int inode) {
                return inode == 2;
            }

            @Override
            public void read(int inode, long offset, ByteBuffer to) throws IOException {
                if (failure.get().isPresent()) {
                    throw failure.get().get();
                }
                super.read(inode, offset, to);
            }
        };
        Path root = mount(new Toc().file("away", 10_000).file("here", 10), data).target();
        assertThatThrownBy(() -> Files.readAllBytes(root.resolve("away"))).hasMessageContaining("Input/output error");
        assertThat(Files.readAllBytes(root.resolve("here"))).isEqualTo(PatternData.bytes(3, 0, 10));
        failure.set(Optional.empty());
        assertThat(Files.readAllBytes(root.resolve("away"))).isEqualTo(PatternData.bytes(2, 0, 10_000));
    }

    @Test
    void aBusyMountIsServedUntilItsReadersAreDone() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        CountDownLatch waiting = new CountDownLatch(1);
        PatternData data = new PatternData() {
            @Override
            boolean isRemote(int inode) {
                return true;
            }

            @Override
            public void read(int inode, long offset, ByteBuffer to) throws IOException {
                waiting.countDown();
                await(gate);
                super.read(inode, offset, to);
            }

            private void await(CountDownLatch latch) throws IOException {
                FuseMountIT.await(latch);
            }
        };
        FuseMount mount = mount(new Toc().file("f", 5000), data);
        Path file = mount.target().resolve("f");
        try (ExecutorService readers = Executors.newSingleThreadExecutor()) {
            Future<byte[]> read = readers.submit(() -> Files.readAllBytes(file));
            assertThat(waiting.await(30, TimeUnit.SECONDS)).isTrue();
            mount.unmount();
            assertThat(Files.exists(file)).isFalse();
            assertThat(mount.awaitEnd(Duration.ofMillis(100))).isFalse();
            gate.countDown();
            assertThat(read.get(30, TimeUnit.SECONDS)).isEqualTo(PatternData.bytes(2, 0, 5000));
        }
        assertThat(mount.awaitEnd(PATIENCE)).isTrue();
        assertThat(Files.exists(Path.of("/proc/" + mount.holderPid()))).isFalse();
        mounts.clear();
    }

    @Test
    void aHolderThatIsKilledIsReplaced() throws Exception {
        FuseMount mount = mount(layer(), new PatternData());
        int first = mount.holderPid();
        assertThat(mount.keepHeld()).isFalse();
        ProcessHandle.of(first).orElseThrow().destroyForcibly();
        Awaitility.await().until(mount::keepHeld);
        assertThat(mount.holderPid()).isNotEqualTo(first);
        assertThat(Files.exists(Path.of("/proc/" + first))).isFalse();
        assertThat(Holder.read(folder.resolve("holder0")).orElseThrow().pid()).isEqualTo(mount.holderPid());
        assertThat(mount.keepHeld()).isFalse();
    }

    @Test
    void aFailedMountLeavesNothing() throws Exception {
        assertThatThrownBy(() -> FuseMount.mount(
                        folder.resolve("not there"),
                        "stargz-test",
                        layer().build(folder.resolve("index")),
                        new PatternData(),
                        FuseOptions.of("sha256:failed"),
                        workers,
                        folder.resolve("holder")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("not there");
        assertThat(folder.resolve("holder")).doesNotExist();
        assertThat(ProcessHandle.allProcesses().filter(process -> isHolder(process.pid(), "sha256:failed")))
                .isEmpty();
    }

    private static boolean isHolder(long pid, String layer) {
        try {
            return Files.readString(Path.of("/proc/" + pid + "/environ")).startsWith("LONGSHORE_HOLDS=" + layer);
        } catch (IOException e) {
            return false; // ended meanwhile
        }
    }

    @Test
    void theStatusIsReadAnewEachTime() throws Exception {
        AtomicReference<String> status = new AtomicReference<>("{\"fetchedPercent\":1}");
        FuseOptions options = new FuseOptions(
                "sha256:test",
                List.of("trusted.overlay.opaque"),
                Optional.of(
                        new StatusFile("sha256:test.json", () -> status.get().getBytes(UTF_8))),
                0,
                Optional.empty());
        Path root = mount(layer(), new PatternData(), options).target();
        Path file = root.resolve(".stargz-snapshotter/sha256:test.json");
        assertThat(file).hasContent("{\"fetchedPercent\":1}");
        status.set("{\"fetchedPercent\":100}");
        assertThat(file).hasContent("{\"fetchedPercent\":100}");
        status.set("{\"fetchedPercent\":200}");
        assertThat(file).hasContent("{\"fetchedPercent\":200}");
        assertThat(Files.exists(root.resolve(".stargz-snapshotter/other"))).isFalse();
        try (Stream<Path> list = Files.list(root)) {
            assertThat(list.map(path -> path.getFileName().toString())).doesNotContain(".stargz-snapshotter");
        }
        assertThat(FileStat.of(file).modified()).isAfter(Instant.now().minusSeconds(60));
    }

    @Test
    void readAheadIsWhatWasAskedFor() throws Exception {
        FuseOptions options = new FuseOptions("sha256:test", List.of(), Optional.empty(), 1024, Optional.empty());
        Path root =
                mount(new Toc().file("f", 8 << 20), new PatternData(), options).target();
        long minor = FileStat.of(root).device() & 0xffff_ffffL;
        assertThat(Path.of("/sys/class/bdi/0:" + minor + "/read_ahead_kb")).hasContent("1024");
        assertThat(Files.readAllBytes(root.resolve("f"))).isEqualTo(PatternData.bytes(2, 0, 8 << 20));
    }

    @Test
    void completeFilesAreReadByTheKernelItself() throws Exception {
        Path backing = folder.resolve("backing");
        Files.write(backing, PatternData.bytes(2, 0, 3_000_000));
        FuseOptions options = new FuseOptions(
                "sha256:test", List.of(), Optional.empty(), 0, Optional.of(new OneBackingFile(2, backing)));
        Set<Integer> served = new HashSet<>();
        PatternData data = new PatternData() {
            @Override
            public synchronized boolean readLocal(int inode, long offset, ByteBuffer to) {
                served.add(inode);
                return super.readLocal(inode, offset, to);
            }
        };
        FuseMount mount = mount(new Toc().file("big", 3_000_000).file("small", 100), data, options);
        assumeTrue(mount.features().passthrough(), "the kernel has no FUSE passthrough");
        for (int i = 0; i < 2; i++) {
            assertThat(Files.readAllBytes(mount.target().resolve("big"))).isEqualTo(PatternData.bytes(2, 0, 3_000_000));
            assertThat(Files.readAllBytes(mount.target().resolve("small"))).isEqualTo(PatternData.bytes(3, 0, 100));
        }
        assertThat(served).containsExactly(3);

        Path merged = Files.createDirectory(folder.resolve("merged"));
        Path empty = Files.createDirectory(folder.resolve("empty"));
        MountCalls.mount("overlay", merged, "overlay", 0, "lowerdir=%s:%s".formatted(empty, mount.target()));
        others.add(merged);
        assertThat(Files.readAllBytes(merged.resolve("big"))).isEqualTo(PatternData.bytes(2, 0, 3_000_000));
        assertThat(served).containsExactly(3);
    }

    @Test
    void aFileThatIsOpenThroughUsIsLeftToTheKernelWhenItIsClosed() throws Exception {
        Path backing = folder.resolve("backing");
        FuseOptions options = new FuseOptions(
                "sha256:test", List.of(), Optional.empty(), 0, Optional.of(new OneBackingFile(2, backing)));
        AtomicInteger reads = new AtomicInteger();
        PatternData data = new PatternData() {
            @Override
            public boolean readLocal(int inode, long offset, ByteBuffer to) {
                reads.incrementAndGet();
                return super.readLocal(inode, offset, to);
            }
        };
        FuseMount mount = mount(new Toc().file("big", 3_000_000), data, options);
        assumeTrue(mount.features().passthrough(), "the kernel has no FUSE passthrough");
        Path big = mount.target().resolve("big");
        byte[] content = PatternData.bytes(2, 0, 3_000_000);
        try (FileChannel first = FileChannel.open(big)) {
            // What it does not have yet, it does not have; and what is complete then is for those that open it later.
            Files.write(backing, content);
            assertThat(first.read(ByteBuffer.allocate(100), 0)).isEqualTo(100);
            assertThat(Files.readAllBytes(big)).isEqualTo(content);
        }
        assertThat(reads).hasPositiveValue();
        // The kernel tells of a release when it likes.
        Awaitility.await().untilAsserted(() -> {
            reads.set(0);
            Files.writeString(Path.of("/proc/sys/vm/drop_caches"), "3");
            assertThat(Files.readAllBytes(big)).isEqualTo(content);
            assertThat(reads).hasValue(0);
        });
    }
}
