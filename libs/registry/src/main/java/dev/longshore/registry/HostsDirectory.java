package dev.longshore.registry;

import dev.longshore.registry.TlsSettings.ClientCertificate;
import dev.longshore.sdk.config.ConfigException;
import dev.longshore.sdk.config.ConfigFile;
import dev.longshore.sdk.config.ConfigProblem;
import dev.longshore.sdk.config.Section;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folders with what an operator says about registries, {@code certs.d/<host>/hosts.toml}. Read again on every use, so
 * a change needs no restart.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/docs/hosts.md">hosts.md</a>
 */
public final class HostsDirectory {

    private static final Logger log = LoggerFactory.getLogger(HostsDirectory.class);

    private static final String FILE = "hosts.toml";
    private static final Set<Capability> ALL = EnumSet.allOf(Capability.class);

    private final List<Path> roots;
    private final boolean plainHttp;

    /**
     * @param roots looked at in order; those that do not exist are passed over
     * @param plainHttp whether registries that no file says anything about are spoken to without TLS
     */
    public HostsDirectory(List<Path> roots, boolean plainHttp) {
        this.roots = List.copyOf(roots);
        this.plainHttp = plainHttp;
    }

    /**
     * The servers to ask for images of the registry {@code name}, in this order.
     *
     * @throws InvalidArgumentException if a file is wrong; it says where
     */
    public List<RegistryHost> hostsOf(String name) throws IOException {
        for (Path root : roots) {
            for (String folder : List.of(name.replace(':', '_') + "_", name, "_default")) {
                // host_port_ is for file systems without colons; a name without a port has no such form.
                if (folder.endsWith("_") && !folder.equals("_default") && !name.contains(":")) {
                    continue;
                }
                Path candidate = root.resolve(folder);
                if (Files.isDirectory(candidate)) {
                    return read(candidate, name);
                }
            }
        }
        return List.of(server(name, TlsSettings.DEFAULT));
    }

    private List<RegistryHost> read(Path folder, String name) throws IOException {
        Path file = folder.resolve(FILE);
        if (!Files.exists(file)) {
            return List.of(server(name, dockerCertificates(folder)));
        }
        ConfigFile.Read read;
        try {
            read = ConfigFile.read(file, ConfigFile.Format.PLAIN);
        } catch (ConfigException e) {
            throw new InvalidArgumentException(String.valueOf(e.getMessage()), e);
        }
        Section root = read.root();
        List<RegistryHost> hosts = new ArrayList<>();
        root.section("host").sections().forEach((url, section) -> hosts.add(host(folder, url, name, true, section)));
        String server = root.string("server").orElse("");
        RegistryHost upstream = server(name, TlsSettings.DEFAULT);
        String url = server.isEmpty()
                ? upstream.base().getScheme() + "://" + upstream.base().getAuthority()
                : server;
        // A server of another name than the registry's is a mirror in all but its place in the file.
        hosts.add(host(folder, url, name, false, root));
        for (ConfigProblem problem : root.unknown()) {
            log.atWarn().addKeyValue("problem", problem).log("registry configuration has an unknown key");
        }
        if (!read.problems().isEmpty()) {
            throw new InvalidArgumentException(read.problems().getFirst().toString());
        }
        return hosts;
    }

    private RegistryHost host(Path folder, String url, String name, boolean mirror, Section section) {
        Set<Capability> capabilities = EnumSet.noneOf(Capability.class);
        for (String capability : section.strings("capabilities")) {
            try {
                capabilities.add(Capability.valueOf(capability.toUpperCase(Locale.ROOT)));
            } catch (IllegalArgumentException e) {
                section.problem("capabilities", "has \"%s\": use pull, resolve or push".formatted(capability));
            }
        }
        TlsSettings tls = new TlsSettings(
                stringOrStrings(section, "ca").stream().map(folder::resolve).toList(),
                clients(folder, section),
                section.bool("skip_verify").orElse(false));
        Map<String, List<String>> headers = new LinkedHashMap<>();
        Section header = section.section("header");
        header.keys().forEach(key -> headers.put(key, stringOrStrings(header, key)));
        Duration dial = section.duration("dial_timeout").orElse(RegistryHost.DEFAULT_DIAL_TIMEOUT);
        return new RegistryHost(
                base(url, section.bool("override_path").orElse(false)),
                name,
                mirror,
                capabilities.isEmpty() ? ALL : capabilities,
                tls,
                headers,
                dial);
    }

    private static URI base(String url, boolean overridePath) {
        try {
            URI uri = new URI(url.contains("://") ? url : "https://" + url);
            boolean http = "http".equals(uri.getScheme()) || "https".equals(uri.getScheme());
            if (!http || uri.getAuthority() == null || uri.getUserInfo() != null) {
                throw new InvalidArgumentException(
                        "\"%s\" is no address of a registry: write e.g. https://mirror.example:5000".formatted(url));
            }
            String path = uri.getPath() == null ? "" : uri.getPath().replaceAll("/+$", "");
            if (!overridePath && !path.endsWith("/v2")) {
                path += "/v2";
            }
            return new URI(uri.getScheme() + "://" + uri.getAuthority() + path);
        } catch (URISyntaxException e) {
            throw new InvalidArgumentException("\"%s\" is no address of a registry: %s".formatted(url, e.getMessage()));
        }
    }

    /** The registry itself, where no file says otherwise. */
    private RegistryHost server(String name, TlsSettings tls) {
        String authority = name.equals("docker.io") ? "registry-1.docker.io" : name;
        String scheme = plainHttp || (isLoopback(authority) && tls.equals(TlsSettings.DEFAULT)) ? "http" : "https";
        return new RegistryHost(
                base(scheme + "://" + authority, false),
                name,
                false,
                ALL,
                tls,
                Map.of(),
                RegistryHost.DEFAULT_DIAL_TIMEOUT);
    }

    private static boolean isLoopback(String authority) {
        String host = authority.replaceAll(":[0-9]+$", "");
        return host.equals("localhost") || host.startsWith("127.") || host.equals("[::1]");
    }

    private static List<String> stringOrStrings(Section section, String key) {
        return section.isString(key) ? section.string(key).stream().toList() : section.strings(key);
    }

    private static List<ClientCertificate> clients(Path folder, Section section) {
        if (section.isString("client")) {
            Path both = folder.resolve(section.string("client").orElseThrow());
            return List.of(new ClientCertificate(both, both));
        }
        List<ClientCertificate> clients = new ArrayList<>();
        for (List<String> entry : section.stringLists("client")) {
            Path certificate = folder.resolve(entry.getFirst());
            boolean pair = entry.size() > 1 && !entry.get(1).isEmpty();
            clients.add(new ClientCertificate(certificate, pair ? folder.resolve(entry.get(1)) : certificate));
        }
        return clients;
    }

    /** Docker's way: {@code *.crt} are trusted, {@code *.cert} with {@code *.key} are ours. */
    private static TlsSettings dockerCertificates(Path folder) throws IOException {
        Set<Path> files = new TreeSet<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            entries.forEach(files::add);
        }
        List<Path> authorities = new ArrayList<>();
        List<ClientCertificate> clients = new ArrayList<>();
        for (Path file : files) {
            String name = String.valueOf(file.getFileName());
            if (name.endsWith(".crt")) {
                authorities.add(file);
            } else if (name.endsWith(".cert")) {
                Path key = file.resolveSibling(name.substring(0, name.length() - 4) + "key");
                Optional.of(key)
                        .filter(Files::exists)
                        .map(found -> new ClientCertificate(file, found))
                        .ifPresentOrElse(clients::add, () -> {
                            throw new InvalidArgumentException(
                                    "%s has no key beside it: expected %s".formatted(file, key));
                        });
            }
        }
        return new TlsSettings(authorities, clients, false);
    }
}
