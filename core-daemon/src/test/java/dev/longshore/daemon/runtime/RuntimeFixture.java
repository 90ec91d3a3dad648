package dev.longshore.daemon.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.Empty;
import dev.longshore.api.services.events.ttrpc.v1.ForwardRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.event.Envelope;
import dev.longshore.sdk.linux.MountCalls;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import dev.longshore.ttrpc.TtrpcServer;
import dev.longshore.ttrpc.TtrpcService;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.stream.Stream;

/** A runtime with real shims, real runc, and containers of Debian's busybox-static. */
final class RuntimeFixture implements AutoCloseable {

    private static final Path BUSYBOX = Path.of("/bin/busybox");

    /** Of this fixture only: runc keeps containers by namespace and id, for the whole machine. */
    final String namespace =
            "it-" + Long.toString(ProcessHandle.current().pid(), 36) + "-" + Long.toString(System.nanoTime(), 36);

    final Path folder;
    final Path rootfs;
    final RuntimeConfig config;

    /** What the daemon itself published. */
    final BlockingQueue<Envelope> published = new LinkedBlockingQueue<>();

    /** What shims handed in, in the order in which it came. */
    final BlockingQueue<Envelope> forwarded = new LinkedBlockingQueue<>();

    private final String runtimeName;
    private final TtrpcServer events;
    volatile TaskRuntime runtime;

    RuntimeFixture(Path folder, String runtimeName) throws IOException {
        this(folder, runtimeName, RuntimeTimeouts.DEFAULTS, Optional.empty());
    }

    RuntimeFixture(Path folder, String runtimeName, RuntimeTimeouts timeouts, Optional<Path> bin) throws IOException {
        assumeTrue(ProcessHandle.current().info().user().orElse("").equals("root"), "containers need root");
        assumeTrue(Files.isExecutable(BUSYBOX), "no /bin/busybox (Debian: busybox-static)");
        assumeTrue(
                Files.isExecutable(Path.of("/usr/sbin/runc")) || Files.isExecutable(Path.of("/usr/bin/runc")),
                "no runc");
        this.folder = folder;
        this.runtimeName = runtimeName;
        List<Path> path =
                Stream.of(System.getenv("PATH").split(":")).map(Path::of).toList();
        this.config = new RuntimeConfig(
                folder.resolve("state"),
                folder.resolve("root"),
                folder.resolve("d.sock").toString(),
                folder.resolve("d.sock.ttrpc").toString(),
                "/bin/true",
                path,
                bin,
                Path.of("/run/containerd/s"),
                Map.of(),
                false,
                timeouts);
        this.rootfs = makeRootfs(folder.resolve("rootfs"));
        this.runtime = open();
        this.events = TtrpcServer.start(
                ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                        .bind(UnixDomainSocketAddress.of(config.ttrpcAddress())),
                List.of(new TtrpcService("containerd.services.events.ttrpc.v1.Events")
                        .unary("Forward", ForwardRequest.parser(), (context, request) -> {
                            var envelope = request.getEnvelope();
                            Envelope event = new Envelope(
                                    Instant.ofEpochSecond(
                                            envelope.getTimestamp().getSeconds(),
                                            envelope.getTimestamp().getNanos()),
                                    new NamespaceId(envelope.getNamespace()),
                                    envelope.getTopic(),
                                    new TypedValue(
                                            envelope.getEvent().getTypeUrl(),
                                            envelope.getEvent().getValue().toByteArray()));
                            runtime.observe(event);
                            forwarded.add(event);
                            return Empty.getDefaultInstance();
                        })));
    }

    private static Path makeRootfs(Path rootfs) throws IOException {
        for (String name : List.of("bin", "proc", "dev", "sys", "tmp")) {
            Files.createDirectories(rootfs.resolve(name));
        }
        Files.copy(BUSYBOX, rootfs.resolve("bin/busybox"), java.nio.file.StandardCopyOption.COPY_ATTRIBUTES);
        for (String name : List.of("sh", "sleep", "cat", "echo", "true")) {
            Files.createSymbolicLink(rootfs.resolve("bin").resolve(name), Path.of("busybox"));
        }
        return rootfs;
    }

    TaskRuntime open() throws IOException {
        return new TaskRuntime(
                config,
                (namespace, id) -> {
                    if (id.startsWith("unknown")) {
                        throw new NotFoundException("container " + id);
                    }
                    return new Containers.Container(id, runtimeName, Optional.empty(), Optional.empty());
                },
                (namespace, topic, event) -> published.add(new Envelope(Instant.now(), namespace, topic, event)));
    }

    /** As after a restart of the daemon. */
    void restart() throws IOException {
        runtime.close();
        runtime = open();
        runtime.loadBundles()
                .orTimeout(60, java.util.concurrent.TimeUnit.SECONDS)
                .join();
    }

    CallContext context() {
        return CallContext.of(namespace, Duration.ofMinutes(1));
    }

    static Deadline soon() {
        return Deadline.after(Duration.ofMinutes(1));
    }

    /** The folder with the bundles. */
    Path bundles() {
        return config.state().resolve(namespace);
    }

    /** The folder with the work folders. */
    Path works() {
        return config.root().resolve(namespace);
    }

    Task create(String id, String script) throws IOException {
        return create(id, script, new TaskIo("", "", "", false));
    }

    Task create(String id, String script, TaskIo io) throws IOException {
        return runtime.create(context(), request(id, script, io));
    }

    CreateTask request(String id, String script, TaskIo io) {
        return new CreateTask(
                id,
                Optional.of(spec(id, script)),
                runtimeName,
                Optional.empty(),
                Optional.empty(),
                List.of(new Mount("bind", rootfs.toString(), List.of("rbind", "ro"))),
                io,
                Optional.empty(),
                false);
    }

    Task run(String id, String script) throws IOException {
        Task task = create(id, script);
        task.start("", soon());
        return task;
    }

    private TypedValue spec(String id, String script) {
        String json = """
                {"ociVersion":"1.0.2",
                 "process":{"terminal":false,"user":{"uid":0,"gid":0},"args":["/bin/sh","-c",%s],
                   "env":["PATH=/bin"],"cwd":"/"},
                 "root":{"path":"rootfs","readonly":true},
                 "mounts":[{"destination":"/proc","type":"proc","source":"proc"},
                   {"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755"]}],
                 "linux":{"cgroupsPath":"/longshore-it/%s-%s",
                   "namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},{"type":"network"}]}}
                """.formatted(quoted(script), namespace, id);
        return new TypedValue(Bundle.SPEC_TYPE, json.getBytes(UTF_8));
    }

    static ExecProcess exec(String id, String script, TaskIo io) {
        String json =
                "{\"args\":[\"/bin/sh\",\"-c\",%s],\"env\":[\"PATH=/bin\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}"
                        .formatted(quoted(script));
        return new ExecProcess(
                id,
                io,
                Optional.of(new TypedValue(
                        "types.containerd.io/opencontainers/runtime-spec/1/Process", json.getBytes(UTF_8))));
    }

    private static String quoted(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    /** The pid of the shim of {@code id}, of this fixture's daemon and of no other's on the machine. */
    long shimPid(String id) {
        return ProcessHandle.allProcesses()
                .filter(process -> process.info().arguments().stream()
                                .flatMap(Stream::of)
                                .toList()
                                .containsAll(List.of("-id", id, config.grpcAddress()))
                        && process.info().command().orElse("").contains("containerd-shim"))
                .mapToLong(ProcessHandle::pid)
                .findFirst()
                .orElseThrow(() -> new AssertionError("no shim of " + id));
    }

    static void signal(long pid, String signal) throws Exception {
        int exit = new ProcessBuilder("kill", "-" + signal, Long.toString(pid))
                .start()
                .waitFor();
        if (exit != 0) {
            throw new AssertionError("kill -" + signal + " " + pid + " failed");
        }
    }

    /** Ends whatever a test has left. */
    @Override
    public void close() throws Exception {
        Path bundles = bundles();
        if (Files.isDirectory(bundles)) {
            List<Path> left;
            try (Stream<Path> list = Files.list(bundles)) {
                left = list.toList();
            }
            for (Path bundle : left) {
                String id = bundle.getFileName().toString();
                try {
                    Task task = runtime.get(context(), id);
                    task.kill("", 9, true, soon());
                    task.await("", soon());
                } catch (ContainerdException e) {
                    // Gone, or ended: deleted in any case.
                }
                try {
                    runtime.delete(context(), id);
                } catch (ContainerdException e) {
                    // As above.
                }
            }
        }
        runtime.close();
        events.close();
        for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo")).reversed()) {
            Path mount = Path.of(line.split(" ", 6)[4]);
            if (mount.startsWith(folder)) {
                MountCalls.unmount(mount, MountCalls.MNT_DETACH);
            }
        }
    }
}
