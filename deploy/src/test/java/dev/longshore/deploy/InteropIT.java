package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The cells of docs/interop.md, a test each, named there; {@link InteropTableTest} compares both. A program that a machine lacks is
 * a test that is skipped, and says so.
 *
 * <p>containerd 2.x has no Debian package: {@code LONGSHORE_CONTAINERD2} names a folder with its {@code containerd}, {@code ctr}
 * and {@code containerd-shim-runc-v2}.
 */
class InteropIT {

    private static final Path OUR_BIN = Suite.distribution().resolve("bin");
    private static final String GO_SHIM = "containerd-shim-runc-v2";

    /** crun does not run where control groups of version 1 and 2 are mixed, but does where it sees only the first. */
    private static final List<String> WITHOUT_UNIFIED = List.of(
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            "! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified; exec \"$@\"",
            "sh");

    @TempDir
    private Path folder;

    /** The programs of a containerd: one release's, as they belong together. */
    private record Release(String containerd, String ctr, Path shim) {

        /** The one on the PATH: Debian's. */
        static Release first() {
            Programs.need("containerd", "ctr");
            String version = Interop.version("containerd");
            assumeTrue(version.startsWith("1."), "the containerd on the PATH is not 1.x but " + version);
            return new Release("containerd", "ctr", Programs.which(GO_SHIM));
        }

        static Release second() {
            String folder = System.getenv("LONGSHORE_CONTAINERD2");
            if (folder == null) {
                String version = Programs.installed("containerd") ? Interop.version("containerd") : "absent";
                assumeTrue(
                        version.startsWith("2."),
                        "no containerd 2.x: the one on the PATH is %s and LONGSHORE_CONTAINERD2 is not set"
                                .formatted(version));
                return new Release("containerd", "ctr", Programs.which(GO_SHIM));
            }
            Path bin = Path.of(folder);
            assertThat(Interop.version(bin.resolve("containerd").toString()))
                    .as("version of the containerd in LONGSHORE_CONTAINERD2=" + folder)
                    .startsWith("2.");
            return new Release(
                    bin.resolve("containerd").toString(), bin.resolve("ctr").toString(), bin.resolve(GO_SHIM));
        }

        /** ctr 2.x has the daemon import unless told otherwise, with a service that 1.x does not have. */
        List<String> importFlags() {
            return Interop.version(ctr).startsWith("2.") ? List.of("--local") : List.of();
        }
    }

    @BeforeAll
    static void need() {
        Programs.needRoot();
        Programs.need("runc", "ctr", "busybox");
    }

    @Test
    void ourDaemonUsesOurSnapshotterAndOurShim() {
        onOurs(
                Release.first(),
                List.of(),
                List.of(),
                interop -> usesOurShim(interop)
                        && interop.ctr("snapshots", "--snapshotter", "overlayfs", "info", "cell")
                                        .exit()
                                == 0);
    }

    @Test
    void ourDaemonIsDrivenByCtr2() {
        onOurs(Release.second(), List.of(), List.of(), InteropIT::usesOurShim);
    }

    @Test
    void ourDaemonUsesTheGoShimOf1() {
        Release first = Release.first();
        onOurs(first, List.of(), List.of("--runtime", first.shim().toString()), uses(first.shim()));
    }

    @Test
    void ourDaemonUsesTheGoShimOf2() {
        Release second = Release.second();
        onOurs(second, List.of(), List.of("--runtime", second.shim().toString()), uses(second.shim()));
    }

    @Test
    void ourDaemonUsesRunsc() {
        onOurs(Release.first(), List.of(), List.of("--runc-binary", runsc()), InteropIT::isGvisor);
    }

    @Test
    void ourDaemonUsesCrun() {
        Programs.need("crun");
        onOurs(Release.first(), WITHOUT_UNIFIED, List.of("--runc-binary", "crun"), InteropIT::isCrun);
    }

    @Test
    void containerd1UsesOurSnapshotter() {
        Release first = Release.first();
        onStock(first, List.of(), true, List.of(), List.of(), uses(first.shim()));
    }

    @Test
    void containerd1UsesOurShim() {
        onStock(Release.first(), List.of(), false, List.of(OUR_BIN), List.of(), InteropIT::usesOurShim);
    }

    @Test
    void containerd1UsesRunscThroughOurShim() {
        onStock(
                Release.first(),
                List.of(),
                false,
                List.of(OUR_BIN),
                List.of("--runc-binary", runsc()),
                InteropIT::isGvisor);
    }

    @Test
    void containerd1UsesCrunThroughOurShim() {
        Programs.need("crun");
        onStock(
                Release.first(),
                WITHOUT_UNIFIED,
                false,
                List.of(OUR_BIN),
                List.of("--runc-binary", "crun"),
                InteropIT::isCrun);
    }

    @Test
    void containerd2UsesOurSnapshotter() {
        Release second = Release.second();
        onStock(second, List.of(), true, List.of(second.shim().getParent()), List.of(), uses(second.shim()));
    }

    @Test
    void containerd2UsesOurShim() {
        onStock(Release.second(), List.of(), false, List.of(OUR_BIN), List.of(), InteropIT::usesOurShim);
    }

    @Test
    void containerd2UsesRunscThroughOurShim() {
        onStock(
                Release.second(),
                List.of(),
                false,
                List.of(OUR_BIN),
                List.of("--runc-binary", runsc()),
                InteropIT::isGvisor);
    }

    @Test
    void containerd2UsesCrunThroughOurShim() {
        Programs.need("crun");
        onStock(
                Release.second(),
                WITHOUT_UNIFIED,
                false,
                List.of(OUR_BIN),
                List.of("--runc-binary", "crun"),
                InteropIT::isCrun);
    }

    /** gVisor without its own network, for which it wants one of its own of the kernel, as ctr does not make it. */
    private String runsc() {
        Programs.need("runsc");
        try {
            Path program = Files.writeString(folder.resolve("runsc"), "#!/bin/sh\nexec runsc --network=none \"$@\"\n");
            assertThat(program.toFile().setExecutable(true)).isTrue();
            return program.toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean usesOurShim(Interop interop) {
        return interop.shims().stream().anyMatch(program -> program.endsWith("/java"));
    }

    private static Predicate<Interop> uses(Path shim) {
        return interop -> interop.shims().contains(shim.toString());
    }

    private static boolean isGvisor(Interop interop) {
        return usesOurShim(interop) && interop.exec("dmesg", "dmesg").out().contains("gVisor");
    }

    /** crun and runc write different files about a container. */
    private static boolean isCrun(Interop interop) {
        return usesOurShim(interop)
                && Files.exists(Path.of("/run/containerd/runc/default/cell/status"))
                && !Files.exists(Path.of("/run/containerd/runc/default/cell/state.json"));
    }

    private static void onOurs(Release client, List<String> prefix, List<String> runFlags, Predicate<Interop> isUsed) {
        try (Suite suite = Suite.upBy(prefix)) {
            Interop interop = new Interop(
                    suite.root(),
                    suite.address(),
                    client.ctr(),
                    runFlags,
                    client.importFlags(),
                    () -> suite.kill("longshored"),
                    suite::start);
            interop.check(isUsed);
        }
    }

    private static void onStock(
            Release release,
            List<String> prefix,
            boolean withOverlay,
            List<Path> path,
            List<String> flags,
            Predicate<Interop> isUsed) {
        Path root;
        try {
            root = Files.createTempDirectory("stock");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        List<String> runFlags = new ArrayList<>(flags);
        List<String> importFlags = new ArrayList<>(release.importFlags());
        if (withOverlay) {
            runFlags.addAll(List.of("--snapshotter", StockContainerd.OVERLAY));
            importFlags.addAll(List.of("--snapshotter", StockContainerd.OVERLAY));
        }
        Path address = root.resolve("containerd.sock");
        try (StockContainerd daemon =
                new StockContainerd(root, address, release.containerd(), path, prefix, withOverlay)) {
            Interop interop =
                    new Interop(root, address, release.ctr(), runFlags, importFlags, daemon::kill, daemon::start);
            daemon.start();
            interop.awaitDaemon();
            try {
                interop.check(isUsed);
            } finally {
                interop.clean();
            }
        }
        Suite.delete(root);
    }
}
