package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * A daemon with some parts of others, and a client: what every cell of docs/interop.md is asked for.
 *
 * @param root all that is the daemon's is below it
 * @param ctr the client
 * @param runFlags what makes {@code ctr run} use the part that the cell is about
 * @param importFlags the same for {@code ctr images import}
 */
record Interop(
        Path root,
        Path address,
        String ctr,
        List<String> runFlags,
        List<String> importFlags,
        Runnable killDaemon,
        Runnable startDaemon) {

    private static final String IMAGE = "docker.io/library/busybox:latest";

    Ran ctr(String... arguments) {
        List<String> command = new ArrayList<>(List.of(ctr, "--address", address.toString()));
        command.addAll(List.of(arguments));
        return Programs.run(command);
    }

    private Ran with(List<String> flags, List<String> command, String... arguments) {
        List<String> all = new ArrayList<>(command);
        all.addAll(flags);
        all.addAll(List.of(arguments));
        return ctr(all.toArray(String[]::new));
    }

    void awaitDaemon() {
        await().atMost(Programs.PATIENCE).until(() -> ctr("version").exit() == 0);
    }

    /** {@code ctr run --rm} of a script on busybox. */
    Ran sh(String id, String script) {
        return with(runFlags, List.of("run", "--rm"), IMAGE, id, "sh", "-c", script);
    }

    /**
     * A container to its end; one that is detached, entered, survives its daemon, is killed and deleted; and nothing is left.
     *
     * @param isUsed whether the part that the cell is about is in use, asked while the container {@code cell} runs
     */
    void check(Predicate<Interop> isUsed) {
        with(importFlags, List.of("images", "import"), TestImage.busybox(IMAGE).toString())
                .ok();
        Ran ran = sh("ends", "echo out; echo err >&2; exit 7");
        assumeFalse(
                ran.err().contains("unknown version specified"),
                "the runtime is too old for the version of the OCI specification that this ctr writes");
        ran.exitedWith(7);
        assertThat(ran.out()).isEqualTo("out\n");
        // ctr 2.x may warn of what is deprecated.
        assertThat(ran.err()).endsWith("err\n");

        with(runFlags, List.of("run", "-d"), IMAGE, "cell", "sleep", "1000").ok();
        assertThat(isUsed.test(this)).as("the part is in use").isTrue();
        assertThat(execCode("before").exitedWith(5).out()).isEqualTo("executed\n");
        String pid = ctr("tasks", "ls").ok().row("cell")[1];

        killDaemon.run();
        startDaemon.run();
        awaitDaemon();
        assertThat(ctr("tasks", "ls").ok().row("cell")).contains(pid, "RUNNING");
        assertThat(execCode("after").exitedWith(5).out()).isEqualTo("executed\n");

        ctr("tasks", "kill", "--signal", "SIGKILL", "cell").ok();
        await().atMost(Programs.PATIENCE)
                .until(() -> ctr("tasks", "ls").ok().row("cell")[2].equals("STOPPED"));
        assertThat(ctr("tasks", "delete", "cell").err()).contains("137");
        ctr("containers", "delete", "cell").ok();
        requireNothingLeft();
    }

    /** Runs a command in the container {@code cell}. */
    Ran exec(String id, String... command) {
        return with(List.of(command), List.of("tasks", "exec", "--exec-id", id, "cell"));
    }

    private Ran execCode(String id) {
        return exec(id, "sh", "-c", "echo executed; exit 5");
    }

    private void requireNothingLeft() {
        assertThat(ctr("tasks", "ls", "-q").ok().out()).isEmpty();
        assertThat(ctr("containers", "ls", "-q").ok().out()).isEmpty();
        List<String> snapshots = new ArrayList<>(List.of("snapshots"));
        snapshots.addAll(snapshotterFlags());
        snapshots.add("ls");
        assertThat(ctr(snapshots.toArray(String[]::new)).ok().rows("cell")).isEmpty();
        try (Stream<Path> below = Files.list(root.resolve("state/io.containerd.runtime.v2.task/default"))) {
            assertThat(below).as("bundles").isEmpty();
            assertThat(Files.readAllLines(Path.of("/proc/self/mountinfo")))
                    .as("mounts")
                    .noneMatch(line -> line.contains(root + "/state/io.containerd.runtime"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        // A shim of ours that has nothing left stays for a while, for the next container.
        await().atMost(Programs.PATIENCE).until(() -> shims().stream().allMatch(program -> program.endsWith("/java")));
    }

    /** The flags that name a snapshotter, out of those of {@code run}. */
    private List<String> snapshotterFlags() {
        int at = runFlags.indexOf("--snapshotter");
        return at < 0 ? List.of() : runFlags.subList(at, at + 2);
    }

    /** The programs of all shims that this daemon has started: {@code java} for ours. */
    Set<String> shims() {
        Set<String> programs = new TreeSet<>();
        shimProcesses().forEach(shim -> shim.info().command().ifPresent(programs::add));
        return programs;
    }

    private List<ProcessHandle> shimProcesses() {
        return ProcessHandle.allProcesses().filter(this::isShim).toList();
    }

    private boolean isShim(ProcessHandle process) {
        try {
            String environment = Files.readString(
                    Path.of("/proc", Long.toString(process.pid()), "environ"), StandardCharsets.ISO_8859_1);
            return Stream.of(environment.split("\0", -1))
                    .anyMatch(variable -> variable.equals("TTRPC_ADDRESS=" + address + ".ttrpc"));
        } catch (IOException e) {
            // It has ended meanwhile, or is the kernel's.
            return false;
        }
    }

    /** Ends what a check that failed has left, and our shim, which waits for more. */
    void clean() {
        for (String id : ctr("tasks", "ls", "-q").lines()) {
            ctr("tasks", "delete", "--force", id);
        }
        shimProcesses().forEach(shim -> {
            shim.destroy();
            Programs.awaitEnd(shim.pid());
        });
    }

    /** {@code ctr} of containerd 2.x; skips the test where there is none. */
    static String ctr2() {
        String folder = System.getenv("LONGSHORE_CONTAINERD2");
        if (folder != null) {
            return Path.of(folder, "ctr").toString();
        }
        assumeTrue(
                Programs.installed("ctr") && version("ctr").startsWith("2."),
                "no ctr 2.x: the one on the PATH is another, and LONGSHORE_CONTAINERD2 is not set");
        return "ctr";
    }

    /** What the program says its version is, e.g. {@code 1.6.20~ds1}; empty if it does not run. */
    static String version(String containerd) {
        Ran ran = Programs.run(List.of(containerd, "--version"), "", Map.of());
        String[] words = ran.out().split(" ");
        return ran.exit() == 0 && words.length > 2 ? words[2].replaceFirst("^v", "") : "";
    }
}
