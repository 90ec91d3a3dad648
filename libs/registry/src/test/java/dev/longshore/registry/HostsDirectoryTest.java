package dev.longshore.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HostsDirectoryTest {

    @TempDir
    Path root;

    private List<RegistryHost> hosts(String name) throws IOException {
        return new HostsDirectory(List.of(root.resolve("absent"), root), false).hostsOf(name);
    }

    private void write(String folder, String toml) throws IOException {
        Files.createDirectories(root.resolve(folder));
        Files.writeString(root.resolve(folder).resolve("hosts.toml"), toml);
    }

    @ParameterizedTest
    @CsvSource({
        "registry.example, https://registry.example/v2",
        "docker.io, https://registry-1.docker.io/v2",
        "localhost:5000, http://localhost:5000/v2",
        "127.0.0.1, http://127.0.0.1/v2",
        "[::1]:5000, http://[::1]:5000/v2"
    })
    void withoutFileARegistryIsItsOwnHost(String name, String base) throws IOException {
        assertThat(hosts(name)).extracting(RegistryHost::base).containsExactly(URI.create(base));
    }

    @Test
    void mirrorsComeInTheOrderOfTheFileAndTheServerLast() throws IOException {
        write("docker.io", """
                server = "https://upstream.example"
                [host."https://z.example"]
                capabilities = ["pull", "resolve"]
                [host."http://a.example:5000/prefix"]
                capabilities = ["pull"]
                [host."m.example/exact"]
                override_path = true
                """);
        List<RegistryHost> hosts = hosts("docker.io");
        assertThat(hosts)
                .extracting(host -> host.base().toString())
                .containsExactly(
                        "https://z.example/v2",
                        "http://a.example:5000/prefix/v2",
                        "https://m.example/exact",
                        "https://upstream.example/v2");
        assertThat(hosts.get(0).capabilities()).isEqualTo(Set.of(Capability.PULL, Capability.RESOLVE));
        assertThat(hosts.get(1).capabilities()).isEqualTo(Set.of(Capability.PULL));
        assertThat(hosts.get(2).capabilities()).isEqualTo(Set.of(Capability.values()));
        assertThat(hosts).extracting(RegistryHost::mirror).containsExactly(true, true, true, false);
    }

    @Test
    void everythingOfAHostIsRead() throws IOException {
        write("registry.example", """
                [host."https://mirror.example"]
                ca = "ca.pem"
                client = [["one.cert", "one.key"], ["both.pem", ""]]
                skip_verify = true
                dial_timeout = "3s"
                [host."https://mirror.example".header]
                x-one = "1"
                x-many = ["2", "3"]
                [host."https://other.example"]
                ca = ["a.pem", "/b.pem"]
                client = "both.pem"
                """);
        List<RegistryHost> hosts = hosts("registry.example");
        Path folder = root.resolve("registry.example");
        assertThat(hosts.get(0).tls())
                .isEqualTo(new TlsSettings(
                        List.of(folder.resolve("ca.pem")),
                        List.of(
                                new TlsSettings.ClientCertificate(
                                        folder.resolve("one.cert"), folder.resolve("one.key")),
                                new TlsSettings.ClientCertificate(
                                        folder.resolve("both.pem"), folder.resolve("both.pem"))),
                        true));
        assertThat(hosts.get(0).dialTimeout()).isEqualTo(Duration.ofSeconds(3));
        assertThat(hosts.get(0).headers()).isEqualTo(Map.of("x-one", List.of("1"), "x-many", List.of("2", "3")));
        assertThat(hosts.get(1).tls().authorities()).containsExactly(folder.resolve("a.pem"), Path.of("/b.pem"));
        assertThat(hosts.get(1).tls().clients()).hasSize(1);
    }

    @Test
    void portIsInTheNameOfTheFolderInEitherForm() throws IOException {
        write("one_5000_", "server = \"https://found.example\"");
        write("two:5000", "server = \"https://found.example\"");
        write("_default", "server = \"https://default.example\"");
        assertThat(hosts("one:5000").getFirst().base()).hasHost("found.example");
        assertThat(hosts("two:5000").getFirst().base()).hasHost("found.example");
        assertThat(hosts("three").getFirst().base()).hasHost("default.example");
    }

    @Test
    void changeIsSeenAtOnce() throws IOException {
        write("registry.example", "server = \"https://old.example\"");
        HostsDirectory directory = new HostsDirectory(List.of(root), false);
        assertThat(directory.hostsOf("registry.example").getFirst().base()).hasHost("old.example");
        write("registry.example", "server = \"https://new.example\"");
        assertThat(directory.hostsOf("registry.example").getFirst().base()).hasHost("new.example");
    }

    @Test
    void dockersFoldersHaveCertificatesOnly() throws IOException {
        Path folder = Files.createDirectories(root.resolve("registry.example"));
        for (String name : List.of("ca.crt", "me.cert", "me.key")) {
            Files.createFile(folder.resolve(name));
        }
        assertThat(hosts("registry.example").getFirst().tls())
                .isEqualTo(new TlsSettings(
                        List.of(folder.resolve("ca.crt")),
                        List.of(new TlsSettings.ClientCertificate(folder.resolve("me.cert"), folder.resolve("me.key"))),
                        false));
        Files.delete(folder.resolve("me.key"));
        assertThatThrownBy(() -> hosts("registry.example"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("me.key");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "server = 5",
                "capabilities = [\"steal\"]",
                "[host.\"ftp://a.example\"]",
                "[host.\"https://user:password@a.example\"]",
                "client = [[]]",
                "dial_timeout = \"soon\"",
                "not toml"
            })
    void wrongFileSaysWhere(String toml) throws IOException {
        write("registry.example", toml);
        assertThatThrownBy(() -> hosts("registry.example")).isInstanceOf(InvalidArgumentException.class);
    }
}
