package dev.longshore.testkit.verify;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/**
 * Which program is verified, and against what.
 *
 * @param socket where it serves
 * @param content where a differ has its blobs from: the socket of a daemon, or of a content store; for others it is not used
 * @param name what it is asked for by, where one program serves several snapshotters; see the key of {@code proxy_plugins}
 * @param capabilities what it says it can beyond the contract, e.g. {@code rebase}; sentences about others are skipped
 * @param strict whether it is asked for more than containerd's own implementations do
 * @param timeout of each call
 * @param restart a command for {@code sh} that ends the program and starts it again on what it left; empty if there is none
 * @param only the one sentence to try, by its words or by the name of its method; empty for all
 */
public record VerifyOptions(
        PluginType type,
        Path socket,
        Path content,
        String name,
        Set<String> capabilities,
        boolean strict,
        Duration timeout,
        Optional<String> restart,
        Optional<String> only) {

    public VerifyOptions {
        capabilities = Set.copyOf(capabilities);
    }
}
