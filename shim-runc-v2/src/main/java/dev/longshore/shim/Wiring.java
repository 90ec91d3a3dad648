package dev.longshore.shim;

import dev.longshore.ttrpc.TtrpcServer;
import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;

/** How the shim is put together. */
final class Wiring {

    private Wiring() {}

    /** Serves on the socket that the launcher has bound and handed over as standard input. */
    static void serve(Config config) throws IOException {
        Channel inherited = System.inheritedChannel();
        if (!(inherited instanceof ServerSocketChannel listener)) {
            throw new IOException("standard input is no listening socket: the launcher starts this program");
        }
        Path socket = config.socket().orElseThrow(() -> new IOException("-socket is required"));
        Path registry = Path.of(socket + ".d");
        EventForwarder events = new EventForwarder(config.ttrpcAddress(), config.namespace());
        Tasks tasks = new Tasks(config.namespace(), config.launcher(), registry, events);
        IdleExit idle = new IdleExit(socket, registry, config.idle(), tasks);
        TaskApi api = new TaskApi(tasks, events, idle);
        tasks.adoptAll();
        // Its thread keeps the process alive.
        TtrpcServer server = TtrpcServer.start(listener, api.services());
        assert server != null;
        idle.maybe();
    }
}
