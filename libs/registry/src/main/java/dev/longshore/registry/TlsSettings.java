package dev.longshore.registry;

import java.nio.file.Path;
import java.util.List;

/**
 * How to talk TLS to a host.
 *
 * @param authorities PEM files, trusted beside those of the system
 * @param clients what the host may ask us for
 * @param skipVerify whether any certificate will do
 */
public record TlsSettings(List<Path> authorities, List<ClientCertificate> clients, boolean skipVerify) {

    static final TlsSettings DEFAULT = new TlsSettings(List.of(), List.of(), false);

    public TlsSettings {
        authorities = List.copyOf(authorities);
        clients = List.copyOf(clients);
    }

    /**
     * @param certificate PEM, with its chain
     * @param key PEM; the same file if that holds both
     */
    public record ClientCertificate(Path certificate, Path key) {}
}
