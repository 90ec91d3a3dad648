package dev.longshore.daemon.proxyplugin;

import dev.longshore.transport.grpc.PluginAddress;
import dev.longshore.transport.grpc.RemoteChannels;
import dev.longshore.transport.grpc.TlsFiles;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.proxy.PluginConnection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/** The connections to plugins. Plugins at one address share one, as containerd's do. */
final class Connections implements AutoCloseable {

    private final UnixChannels unix = new UnixChannels();
    private final RemoteChannels remote = new RemoteChannels();
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Key, Shared> open = new HashMap<>();

    private record Key(PluginAddress address, Optional<TlsFiles> tls) {}

    private static final class Shared {

        final PluginConnection connection;
        int users;

        Shared(PluginConnection connection) {
            this.connection = connection;
        }
    }

    /** To be given back to {@link #release}. */
    PluginConnection acquire(ProxyPluginConfig config) {
        lock.lock();
        try {
            Shared shared =
                    open.computeIfAbsent(new Key(config.address(), config.tls()), key -> new Shared(connect(key)));
            shared.users++;
            return shared.connection;
        } finally {
            lock.unlock();
        }
    }

    private PluginConnection connect(Key key) {
        return switch (key.address()) {
            case PluginAddress.Unix(var socket) -> new PluginConnection(unix, socket);
            case PluginAddress.Remote address -> new PluginConnection(remote, address, key.tls());
        };
    }

    /** Closes the connection of {@code config} when nobody else has it; calls under way go on to their end. */
    void release(ProxyPluginConfig config) {
        lock.lock();
        try {
            Key key = new Key(config.address(), config.tls());
            Shared shared = open.get(key);
            if (shared != null && --shared.users == 0) {
                open.remove(key);
                shared.connection.retire();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            open.values().forEach(shared -> shared.connection.close());
            open.clear();
        } finally {
            lock.unlock();
        }
        unix.close();
        remote.close();
    }
}
