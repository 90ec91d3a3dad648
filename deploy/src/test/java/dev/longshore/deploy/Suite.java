package dev.longshore.deploy;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The assembled distribution, up under a temporary folder. With {@code -Dlongshore.peer=containerd} the same tests run
 * against the machine's own containerd instead, which shows that they ask for nothing but containerd's behaviour.
 */
final class Suite implements AutoCloseable {

    private final Path root;
    private final Path address;
    private final List<String> prefix;
    private final List<String> flags;
    private final @Nullable StockContainerd peer;

    private Suite(Path root, boolean peer, List<String> prefix, List<String> flags) {
        this.root = root;
        this.flags = List.copyOf(flags);
        this.prefix = List.copyOf(prefix);
        this.address = root.resolve("run/longshore.sock");
        this.peer = peer ? new StockContainerd(root, address, "containerd", List.of(), List.of(), false) : null;
    }

    /** The distribution that the build has assembled. */
    static Path distribution() {
        return Path.of(System.getProperty("longshore.distribution", "target/longshore"))
                .toAbsolutePath();
    }

    /** Skips the test where the suite cannot run; else brings it up. Returns when it answers. */
    static Suite up() {
        Programs.needRoot();
        Programs.need("runc", "ctr", "busybox");
        boolean peer = "containerd".equals(System.getProperty("longshore.peer"));
        if (peer) {
            Programs.need("containerd");
        }
        return up(peer, List.of(), List.of(), Map.of());
    }

    /** Longshore, whatever {@code longshore.peer} says, with its programs run by {@code prefix}, as {@code unshare}. */
    static Suite upBy(List<String> prefix) {
        return up(false, prefix, List.of(), Map.of());
    }

    /** Longshore, whatever {@code longshore.peer} says, with the stargz snapshotter besides. */
    static Suite upWithStargz(String configuration) {
        return upWithStargz(configuration, List.of());
    }

    /** The same with its programs run by {@code prefix}. */
    static Suite upWithStargz(String configuration, List<String> prefix) {
        Programs.needRoot();
        Programs.need("runc", "ctr", "busybox");
        return up(false, prefix, List.of("--snapshotter", "stargz"), Map.of("stargz.toml", configuration));
    }

    /** Longshore, whatever {@code longshore.peer} says, with its content in IPFS, in the place of the daemon's own store. */
    static Suite upWithIpfs(String contentFlags) {
        Programs.needRoot();
        Programs.need("runc", "ctr", "busybox");
        return up(false, List.of(), List.of("--content", "ipfs"), Map.of("ipfs.flags", contentFlags));
    }

    /** Longshore with its content in IPFS, and with the stargz snapshotter besides. */
    static Suite upWithIpfsAndStargz(String contentFlags, String configuration) {
        Programs.needRoot();
        Programs.need("runc", "ctr", "busybox");
        return up(
                false,
                List.of(),
                List.of("--content", "ipfs", "--snapshotter", "stargz"),
                Map.of("ipfs.flags", contentFlags, "stargz.toml", configuration));
    }

    /** @param files by their names; {@code @RUN@} in them stands for the folder of the suite's sockets */
    private static Suite up(boolean peer, List<String> prefix, List<String> flags, Map<String, String> files) {
        try {
            Suite suite = new Suite(Files.createTempDirectory("ls"), peer, prefix, flags);
            try {
                for (Map.Entry<String, String> file : files.entrySet()) {
                    Files.writeString(
                            suite.root.resolve(file.getKey()),
                            file.getValue()
                                    .replace("@RUN@", suite.root.resolve("run").toString()));
                }
                suite.start();
            } catch (RuntimeException | Error e) {
                suite.close();
                throw e;
            }
            return suite;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether this is not Longshore but containerd. */
    boolean isPeer() {
        return peer != null;
    }

    Path root() {
        return root;
    }

    /** The daemon's gRPC socket. */
    Path address() {
        return address;
    }

    /** Brings up what is not up, as after {@link #kill}. */
    void start() {
        if (peer != null) {
            peer.start();
        } else {
            List<String> command = new ArrayList<>(List.of("up"));
            command.addAll(flags);
            suite(command.toArray(String[]::new)).ok();
        }
        await().atMost(Programs.PATIENCE).until(() -> ctr("version").exit() == 0);
    }

    /** The pid of a program of the suite, e.g. {@code longshored}. */
    long pid(String program) {
        if (peer != null) {
            return peer.pid();
        }
        try {
            return Long.parseLong(
                    Files.readString(root.resolve("run/" + program + ".pid")).strip());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What a program of the suite has logged. */
    String log(String program) {
        try {
            return Files.readString(root.resolve("log/" + program + ".log"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Kills a program of the suite as the kernel would, out of memory, and returns when it is gone. */
    void kill(String program) {
        ProcessHandle process = ProcessHandle.of(pid(program)).orElseThrow();
        process.destroyForcibly();
        Programs.awaitEnd(process.pid());
    }

    private Ran suite(String... arguments) {
        List<String> command = new ArrayList<>(prefix);
        command.add(distribution().resolve("bin/longshore-suite").toString());
        command.addAll(List.of(arguments));
        command.addAll(List.of("--root", root.toString()));
        return Programs.run(command);
    }

    /** Runs {@code ctr} in the namespace {@code default}. */
    Ran ctr(String... arguments) {
        return ctrWithInput("", arguments);
    }

    Ran ctrWithInput(String input, String... arguments) {
        return Programs.run(ctrCommand(arguments), input, Map.of());
    }

    /** The command line of {@code ctr} on this suite. */
    List<String> ctrCommand(String... arguments) {
        List<String> command = new ArrayList<>(List.of("ctr", "--address", address.toString()));
        command.addAll(List.of(arguments));
        return command;
    }

    /** Runs the client {@code longshore} on this suite. */
    Ran longshore(String... arguments) {
        List<String> command = new ArrayList<>(
                List.of(distribution().resolve("bin/longshore").toString(), "--address", address.toString()));
        command.addAll(List.of(arguments));
        return Programs.run(command);
    }

    /** The state of a plugin as {@code longshore plugins} has it. */
    String pluginState(String name) {
        List<String[]> rows = longshore("plugins").rows(name);
        return rows.isEmpty() ? "not there" : rows.getFirst()[2];
    }

    /** Runs a command in a container that runs. */
    Ran exec(String id, String... command) {
        List<String> arguments =
                new ArrayList<>(List.of("tasks", "exec", "--exec-id", "e" + Long.toHexString(System.nanoTime()), id));
        arguments.addAll(List.of(command));
        return ctr(arguments.toArray(String[]::new));
    }

    /** What {@code ctr tasks ls} says of a container, e.g. {@code RUNNING}. */
    String status(String id) {
        return ctr("tasks", "ls").ok().row(id)[2];
    }

    /** Imports the busybox image as {@code name}. */
    void importBusybox(String name) {
        ctr("images", "import", TestImage.busybox(name).toString()).ok();
    }

    /** Ends all tasks and removes all containers of the namespace {@code default}. */
    void removeContainers() {
        for (String id : ctr("tasks", "ls", "-q").ok().lines()) {
            // SIGKILL to all of it, so that a stuck one does not spoil the tests to come.
            ctr("tasks", "delete", "--force", id);
        }
        for (String id : ctr("containers", "ls", "-q").ok().lines()) {
            ctr("containers", "delete", id);
        }
    }

    @Override
    public void close() {
        if (peer != null) {
            removeContainers();
            peer.close();
        } else {
            Ran down = suite("down", "--kill-containers");
            if (down.exit() != 0) {
                throw new AssertionError("the suite could not be brought down: " + down);
            }
        }
        delete(root);
    }

    /** With all that is below it; no link is followed. */
    static void delete(Path folder) {
        try (Stream<Path> below = Files.list(folder)) {
            for (Path path : below.toList()) {
                if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                    delete(path);
                } else {
                    Files.delete(path);
                }
            }
            Files.delete(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
