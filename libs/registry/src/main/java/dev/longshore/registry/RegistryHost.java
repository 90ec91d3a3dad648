package dev.longshore.registry;

import java.net.URI;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One server that has images of a registry: the registry itself, or a mirror of it.
 *
 * @param base what comes before {@code /<repository>/manifests/...}, without a slash at its end
 * @param name of the registry as image names have it, for credentials
 * @param mirror whether it is told, by {@code ?ns=}, which registry the image is of
 * @param headers sent with every request to this host
 */
public record RegistryHost(
        URI base,
        String name,
        boolean mirror,
        Set<Capability> capabilities,
        TlsSettings tls,
        Map<String, List<String>> headers,
        Duration dialTimeout) {

    static final Duration DEFAULT_DIAL_TIMEOUT = Duration.ofSeconds(30);

    public RegistryHost {
        capabilities = Set.copyOf(capabilities);
        headers = Map.copyOf(headers);
    }

    /** The same with more headers; what an operator has set stays. */
    RegistryHost withHeaders(Map<String, String> more) {
        Map<String, List<String>> all = new LinkedHashMap<>();
        more.forEach((name, value) -> all.put(name, List.of(value)));
        all.putAll(headers);
        return new RegistryHost(base, name, mirror, capabilities, tls, all, dialTimeout);
    }

    /** The host that credentials are for: a mirror has its own. */
    String credentialHost() {
        return mirror ? base.getAuthority() : name;
    }
}
