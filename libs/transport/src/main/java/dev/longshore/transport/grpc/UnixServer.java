package dev.longshore.transport.grpc;

import dev.longshore.sdk.errors.FailedPreconditionException;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.EventLoopGroup;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * A gRPC server on a unix socket, one virtual thread for each call.
 *
 * <p>The socket gets its final name only after it has its mode and owner, so nobody can connect in between. A socket
 * that a dead process left behind is replaced; one that somebody answers on is not.
 */
public final class UnixServer implements AutoCloseable {

    /** Bytes of a message in either direction, as containerd has it. */
    public static final int MAX_MESSAGE_SIZE = 16 << 20;

    /** Bytes under way on a stream before the receiver has taken them. */
    private static final int FLOW_CONTROL_WINDOW = 1 << 20;

    /** Bytes of all headers of a call: the namespace, the lease, and what tracing adds. */
    private static final int MAX_METADATA_SIZE = 16 << 10;

    /** A client may reset this many streams in a second before its connection is closed (CVE-2023-44487). */
    private static final int MAX_RESETS_PER_SECOND = 400;

    private final Path socket;
    private final EventLoopGroup eventLoop;
    private final ExecutorService calls;
    private final Server server;

    /**
     * The file of a socket.
     *
     * @param mode e.g. {@code rw-rw----}
     * @param uid the owner; -1 leaves it as it is
     * @param gid the group; -1 leaves it as it is
     */
    public record SocketFile(Path path, Set<PosixFilePermission> mode, int uid, int gid) {

        public SocketFile {
            mode = Set.copyOf(mode);
        }

        /** A socket for its owner alone. */
        public static SocketFile privateTo(Path path) {
            return new SocketFile(path, PosixFilePermissions.fromString("rw-------"), -1, -1);
        }
    }

    private UnixServer(Path socket, EventLoopGroup eventLoop, ExecutorService calls, Server server) {
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
        refuseLiveSocket(file.path());
        Path folder = file.path().toAbsolutePath().getParent();
        Path temporary = Files.createTempDirectory(folder, ".b");
        Path bound = temporary.resolve("s");
        EventLoopGroup eventLoop = EventLoops.open("grpc-" + file.path().getFileName());
        ExecutorService calls = Executors.newVirtualThreadPerTaskExecutor();
        try {
            NettyServerBuilder builder = NettyServerBuilder.forAddress(EventLoops.address(bound))
                    .channelType(EventLoops.serverChannelType())
                    .bossEventLoopGroup(eventLoop)
                    .workerEventLoopGroup(eventLoop)
                    .executor(calls)
                    .maxInboundMessageSize(MAX_MESSAGE_SIZE)
                    .maxInboundMetadataSize(MAX_METADATA_SIZE)
                    .maxRstFramesPerWindow(MAX_RESETS_PER_SECOND, 1)
                    .flowControlWindow(FLOW_CONTROL_WINDOW)
                    .permitKeepAliveTime(1, TimeUnit.SECONDS)
                    .permitKeepAliveWithoutCalls(true);
            for (BindableService service : services) {
                builder.addService(intercepted(service, interceptors));
            }
            Server server = builder.build().start();
            apply(file, bound);
            Files.move(bound, file.path(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            return new UnixServer(file.path(), eventLoop, calls, server);
        } catch (IOException | RuntimeException e) {
            var _ = eventLoop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
            calls.close();
            throw e;
        } finally {
            Files.deleteIfExists(bound);
            Files.deleteIfExists(temporary);
        }
    }

    private static ServerServiceDefinition intercepted(
            BindableService service, List<? extends ServerInterceptor> interceptors) {
        ServerServiceDefinition definition = service.bindService();
        for (ServerInterceptor interceptor : interceptors.reversed()) {
            definition = ServerInterceptors.intercept(definition, interceptor);
        }
        return ServerInterceptors.intercept(definition, new CallContexts.Reader());
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

    private static void refuseLiveSocket(Path path) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(path));
        } catch (ConnectException | NoSuchFileException e) {
            return; // nobody listens
        } catch (java.net.SocketException e) {
            if (!Files.exists(path)) {
                return;
            }
            throw new FileAlreadyExistsException(
                    path.toString(), null, "is there and cannot be connected to: " + e.getMessage());
        }
        throw new FailedPreconditionException(
                "socket %s is in use by a running process: stop that one first, or choose another address"
                        .formatted(path));
    }

    /** Takes no new calls, lets those under way finish for {@code grace}, then ends them. */
    public void stop(Duration grace) {
        server.shutdown();
        try {
            if (!server.awaitTermination(grace.toMillis(), TimeUnit.MILLISECONDS)) {
                server.shutdownNow();
                server.awaitTermination(1, TimeUnit.SECONDS);
            }
            Files.deleteIfExists(socket);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            server.shutdownNow();
        } catch (IOException e) {
            throw new UncheckedIOException("removing socket " + socket, e);
        } finally {
            var _ = eventLoop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
            calls.shutdownNow();
        }
    }

    @Override
    public void close() {
        stop(Duration.ofSeconds(1));
    }
}
