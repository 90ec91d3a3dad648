package dev.longshore.daemon.transfer;

import dev.longshore.registry.Credentials;
import dev.longshore.sdk.oci.Reference;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * An image in a registry.
 *
 * @param hostDirectories what is said about registries; empty for the daemon's own
 * @param plainHttp whether a registry that nothing is said about is spoken to without TLS
 * @param headers sent with every request to the registry itself, not to others that it leads to
 * @param credentials the client's, asked for when the registry wants some
 */
public record RegistryImage(
        Reference reference,
        List<Path> hostDirectories,
        boolean plainHttp,
        Map<String, String> headers,
        Credentials credentials) {

    public RegistryImage {
        hostDirectories = List.copyOf(hostDirectories);
        headers = Map.copyOf(headers);
    }

    /** As containerd's clients show it. */
    @Override
    public String toString() {
        return "OCI Registry (" + reference + ")";
    }
}
