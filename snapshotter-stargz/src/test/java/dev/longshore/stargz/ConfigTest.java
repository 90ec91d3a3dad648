package dev.longshore.stargz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.stargz.Config.Content;
import dev.longshore.stargz.Config.Registries;
import dev.longshore.stargz.layer.LayerSettings;
import dev.longshore.transport.serve.ServeOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ConfigTest {

    @TempDir
    private Path folder;

    private Config parse(String file) throws Exception {
        Path path = folder.resolve("stargz.toml");
        Files.writeString(path, file);
        return Config.of(
                Config.flags().parse(List.of("--address=/run/s.sock", "--root=/var/s", "--config=" + path)),
                folder.resolve("none"));
    }

    @Test
    void withoutAFileEverythingHasItsDefault() throws Exception {
        assertThat(Config.of(
                        Config.flags().parse(List.of("--address=/run/s.sock", "--root=/var/s")),
                        folder.resolve("none")))
                .isEqualTo(new Config(
                        ServeOptions.of(Path.of("/run/s.sock")),
                        Path.of("/var/s"),
                        Config.DEFAULT_LAYERS,
                        Duration.ofSeconds(10),
                        Config.DEFAULT_CACHE_SIZE,
                        true,
                        List.of(),
                        Registries.DEFAULT,
                        List.of(),
                        List.of(),
                        "info"));
    }

    @Test
    void everyKeyIsTaken() throws Exception {
        assertThat(parse("""
                        allow_no_verification = true
                        noprefetch = true
                        prefetch_size = 1000
                        prefetch_timeout_sec = 7
                        no_background_fetch = true
                        no_erofs = true
                        resolve_timeout_sec = 8
                        cache_size = 5000
                        [blob]
                        fetching_timeout_sec = 9
                        [snapshotter]
                        mount_options = ["volatile"]
                        [registry]
                        config_path = ["/etc/hosts.d"]
                        plain_http = true
                        docker_config = "/root/docker"
                        [content.ipfs]
                        address = "/run/ipfs.sock"
                        [content.daemon]
                        address = "/run/containerd/containerd.sock"
                        namespace = "k8s.io"
                        timeout_sec = 3
                        """))
                .isEqualTo(new Config(
                        ServeOptions.of(Path.of("/run/s.sock")),
                        Path.of("/var/s"),
                        new LayerSettings(true, Duration.ofSeconds(8), Duration.ofSeconds(9), false, 1000, false),
                        Duration.ofSeconds(7),
                        5000,
                        false,
                        List.of("volatile"),
                        new Registries(List.of(Path.of("/etc/hosts.d")), true, Optional.of(Path.of("/root/docker"))),
                        List.of(
                                new Content(
                                        "ipfs", Path.of("/run/ipfs.sock"), Optional.empty(), Duration.ofSeconds(10)),
                                new Content(
                                        "daemon",
                                        Path.of("/run/containerd/containerd.sock"),
                                        Optional.of(new NamespaceId("k8s.io")),
                                        Duration.ofSeconds(3))),
                        List.of(),
                        "info"));
    }

    @Test
    void whatCannotWorkIsRefusedWithAReason() {
        assertThatThrownBy(() -> parse("[content.ipfs]\n"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("content.ipfs.address")
                .hasMessageContaining("absolute path of a socket");
        assertThatThrownBy(() -> parse("[content.ipfs]\naddress = \"ipfs.sock\"\n"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("ipfs.sock");
        assertThatThrownBy(() -> parse("[content.ipfs]\naddress = \"/run/i.sock\"\nnamespace = \"no/name\"\n"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("content.ipfs.namespace");
        assertThatThrownBy(() -> parse("cache_size = -1\n"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("cache_size");
    }

    @Test
    void unknownKeysAreTold() throws Exception {
        assertThat(parse("[content.ipfs]\naddress = \"/run/i.sock\"\nadress = \"x\"\n")
                        .problems())
                .singleElement()
                .asString()
                .contains("content.ipfs.adress")
                .contains("did you mean address");
    }
}
