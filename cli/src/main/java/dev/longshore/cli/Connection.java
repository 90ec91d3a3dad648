package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.sdk.namespace.NamespaceId;
import java.nio.file.Path;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The options that say which daemon, and how to answer: of every command, before or behind its name. */
final class Connection {

    @Option(
            names = {"-a", "--address"},
            paramLabel = "SOCKET",
            scope = ScopeType.INHERIT,
            defaultValue = "${env:LONGSHORE_ADDRESS:-/run/longshore/longshore.sock}",
            description = "the daemon's socket (default: ${DEFAULT-VALUE})")
    private Path address = Path.of("/run/longshore/longshore.sock");

    @Option(
            names = {"-n", "--namespace"},
            scope = ScopeType.INHERIT,
            paramLabel = "NAME",
            defaultValue = "${env:LONGSHORE_NAMESPACE:-default}",
            description = "the namespace to work in (default: ${DEFAULT-VALUE})")
    private String namespace = "default";

    @Option(names = "--json", scope = ScopeType.INHERIT, description = "print JSON instead of tables")
    private boolean json;

    Daemon open() {
        return Daemon.connect(address.toAbsolutePath(), new NamespaceId(namespace));
    }

    Path address() {
        return address.toAbsolutePath();
    }

    boolean json() {
        return json;
    }
}
