package dev.longshore.transport.grpc;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.linux.ListenSocket;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.ChannelFactory;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketAddress;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A gRPC server on a unix socket, a thread for each call.
 *
 * <p>The socket gets its final name only after it has its mode and owner, so nobody can connect in between. A socket
 * that a dead process left behind is replaced; one that somebody answers on is not.
 */
public final class UnixServer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(UnixServer.class);

    /** Bytes of a message in either direction, as containerd has it. */
    public static final int MAX_MESSAGE_SIZE = 16 << 20;

    /** Bytes under way on a stream before the receiver has taken them. */
    private static final int FLOW_CONTROL_WINDOW = 1 << 20;

    /** Bytes of all headers of a call: the namespace, the lease, and what tracing adds. */
    private static final int MAX_METADATA_SIZE = 16 << 10;

    /** A client may reset this many streams in a second before its connection is closed (CVE-2023-44487). */
    private static final int MAX_RESETS_PER_SECOND = 400;

    /** A daemon's client has a call under way for each container that it waits for. */
    private static final int MAX_CALLS_PER_CONNECTION = 10_000;

    private static final int TEMPORARY_NAMES = 36 * 36;

    /** The file to remove in the end; none if the socket is somebody else's. */
    private final Optional<Path> socket;

    private final EventLoopGroup eventLoop;
    private final CallThreads calls;
    private final Server server;

    /**
     * The file of a socket.
     *
     * @param mode e.g. {@code rw-rw----}
     * @param uid the owner; -1 leaves it as it is
     * @param gid the group; -1 leaves it as it is
     * @param peers uids whose processes may connect, whatever the mode says; empty for no check but the mode
     */
    public record SocketFile(Path path, Set<PosixFilePermission> mode, int uid, int gid, Set<Integer> peers) {

        public SocketFile {
            mode = Set.copyOf(mode);
            peers = Set.copyOf(peers);
        }

        /** A socket whose mode says who may connect. */
        public SocketFile(Path path, Set<PosixFilePermission> mode, int uid, int gid) {
            this(path, mode, uid, gid, Set.of());
        }

        /**
         * Checks that a socket can be put at {@code path}: nothing is there, or what a dead process left.
         *
         * @throws FailedPreconditionException if somebody answers there, or it is no socket
         */
        public static void requireFree(Path path) throws IOException {
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS) && !isSocket(path)) {
                throw new FailedPreconditionException(
                        "%s is there and is no socket: remove it, or choose another address".formatted(path));
            }
            if (SocketProbe.isAnswered(path)) {
                throw new FailedPreconditionException(
                        "socket %s is in use by a running process: stop that one first, or choose another address"
                                .formatted(path));
            }
        }

        private static boolean isSocket(Path path) throws IOException {
            int format = (Integer) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 0170000;
            return format == 0140000;
        }

        /** A socket for this process's own user and root alone. */
        public static SocketFile privateTo(Path path) throws IOException {
            int self = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
            return new SocketFile(
                    path,
                    PosixFilePermissions.fromString("rw-------"),
                    -1,
                    -1,
                    self == 0 ? Set.of(0) : Set.of(0, self));
        }
    }

    private UnixServer(Optional<Path> socket, EventLoopGroup eventLoop, CallThreads calls, Server server) {
        this.socket = socket;
        this.eventLoop = eventLoop;
        this.calls = calls;
        this.server = server;
    }

    /**
     * Starts to serve.
     *
     * @param interceptors around every call, the first outermost, inside of the call context
     * @throws FailedPreconditionException if somebody answers on the socket already
     */
    public static UnixServer start(
            SocketFile file, List<? extends BindableService> services, List<? extends ServerInterceptor> interceptors)
            throws IOException {
        return start(file, services, interceptors, MAX_MESSAGE_SIZE);
    }

    /**
     * Starts to serve.
     *
     * @param interceptors around every call, the first outermost, inside of the call context
     * @param maxReceived bytes of one message that is taken
     * @throws FailedPreconditionException if somebody answers on the socket already
     */
    public static UnixServer start(
            SocketFile file,
            List<? extends BindableService> services,
            List<? extends ServerInterceptor> interceptors,
            int maxReceived)
            throws IOException {
        SocketFile.requireFree(file.path());
        Path temporary = makeTemporaryFolder(file.path());
        Path bound = temporary.resolve("s");
        try {
            UnixServer server = listen(
                    file.path(),
                    EventLoops.address(bound),
                    () -> EventLoops.serverChannel(file.peers()),
                    Optional.of(file.path()),
                    services,
                    interceptors,
                    maxReceived);
            try {
                apply(file, bound);
                Files.move(bound, file.path(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } catch (IOException | RuntimeException e) {
                server.abandon();
                throw e;
            }
            return server;
        } finally {
            Files.deleteIfExists(bound);
            Files.deleteIfExists(temporary);
        }
    }

    /**
     * Starts to serve on a socket that systemd listens on for this process, and that it keeps when this server ends.
     *
     * @param peers as of a {@link SocketFile}; mode and owner of the socket are systemd's business
     * @param interceptors as of {@link #start}
     */
    public static UnixServer start(
            ListenSocket socket,
            Set<Integer> peers,
            List<? extends BindableService> services,
            List<? extends ServerInterceptor> interceptors)
            throws IOException {
        Path path = Path.of(socket.path());
        return listen(
                path,
                EventLoops.address(path),
                () -> EventLoops.serverChannel(socket, peers),
                Optional.empty(),
                services,
                interceptors,
                MAX_MESSAGE_SIZE);
    }

    private static UnixServer listen(
            Path name,
            SocketAddress address,
            ChannelFactory<ServerChannel> channels,
            Optional<Path> file,
            List<? extends BindableService> services,
            List<? extends ServerInterceptor> interceptors,
            int maxReceived)
            throws IOException {
        EventLoopGroup eventLoop = EventLoops.open("grpc-" + name.getFileName());
        CallThreads calls = new CallThreads("call-" + name.getFileName());
        try {
            NettyServerBuilder builder = NettyServerBuilder.forAddress(address)
                    .channelFactory(channels)
                    .bossEventLoopGroup(eventLoop)
                    .workerEventLoopGroup(eventLoop)
                    .directExecutor()
                    .callExecutor(calls)
                    .maxInboundMessageSize(maxReceived)
                    .maxInboundMetadataSize(MAX_METADATA_SIZE)
                    .maxRstFramesPerWindow(MAX_RESETS_PER_SECOND, 1)
                    .maxConcurrentCallsPerConnection(MAX_CALLS_PER_CONNECTION)
                    .flowControlWindow(FLOW_CONTROL_WINDOW)
                    .permitKeepAliveTime(1, TimeUnit.SECONDS)
                    .permitKeepAliveWithoutCalls(true);
            for (BindableService service : services) {
                builder.addService(ServerInterceptors.intercept(intercepted(service, interceptors), calls));
            }
            return new UnixServer(file, eventLoop, calls, builder.build().start());
        } catch (IOException | RuntimeException e) {
            var _ = eventLoop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
            calls.close();
            throw e;
        }
    }

    /** Before anybody can have connected: what is at the path is not ours. */
    private void abandon() {
        server.shutdownNow();
        var _ = eventLoop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
        calls.close();
    }

    private static ServerServiceDefinition intercepted(
            BindableService service, List<? extends ServerInterceptor> interceptors) {
        ServerServiceDefinition definition = service.bindService();
        for (ServerInterceptor interceptor : interceptors.reversed()) {
            definition = ServerInterceptors.intercept(definition, interceptor);
        }
        return ServerInterceptors.intercept(definition, new CallContexts.Reader());
    }

    /**
     * A folder for this process alone, beside the socket. The name is short, so that a path that fits into a socket address
     * still does in there.
     */
    private static Path makeTemporaryFolder(Path socket) throws IOException {
        FileAlreadyExistsException last = new FileAlreadyExistsException(socket.toString());
        for (int i = 0; i < TEMPORARY_NAMES; i++) {
            String name = ThreadLocalRandom.current()
                    .ints(2, 0, 36)
                    .mapToObj(digit -> Integer.toString(digit, 36))
                    .collect(Collectors.joining("", ".", ""));
            try {
                return Files.createDirectory(
                        socket.resolveSibling(name),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            } catch (FileAlreadyExistsException e) {
                last = e;
            }
        }
        throw last;
    }

    private static void apply(SocketFile file, Path bound) throws IOException {
        Files.setPosixFilePermissions(bound, file.mode());
        if (file.uid() >= 0) {
            Files.setAttribute(bound, "unix:uid", file.uid());
        }
        if (file.gid() >= 0) {
            Files.setAttribute(bound, "unix:gid", file.gid());
        }
    }

    /** Takes no new calls, lets those under way finish for {@code grace}, then ends them. */
    public void stop(Duration grace) {
        try {
            if (socket.isPresent()) {
                // First: once the server is down, a successor may put its own socket there.
                Files.deleteIfExists(socket.get());
            }
            server.shutdown();
            if (!server.awaitTermination(grace.toMillis(), TimeUnit.MILLISECONDS)) {
                server.shutdownNow();
                server.awaitTermination(1, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            server.shutdownNow();
        } catch (IOException e) {
            server.shutdownNow();
            throw new UncheckedIOException("removing socket " + socket.orElseThrow(), e);
        } finally {
            end();
        }
    }

    /** Calls have been told to end: they are waited for first, since their last words go over the event loop. */
    private void end() {
        try {
            if (!calls.end(Duration.ofSeconds(1))) {
                log.atWarn().addKeyValue("address", socket).log("calls did not end in time");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        eventLoop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
    }

    @Override
    public void close() {
        stop(Duration.ofSeconds(1));
    }
}
