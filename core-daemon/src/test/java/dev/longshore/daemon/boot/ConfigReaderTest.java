package dev.longshore.daemon.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.sdk.config.ConfigException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class ConfigReaderTest {

    private static ConfigReader.Result read(String text) throws ConfigException {
        return ConfigReader.parse(text, "test.toml");
    }

    @Test
    void nothingAtAllIsTheDefaults() throws ConfigException {
        Config config = read("").config();
        assertThat(config.root()).isEqualTo(Path.of("/var/lib/longshore"));
        assertThat(config.grpc().address()).isEqualTo(Path.of("/run/longshore/longshore.sock"));
        assertThat(config.ttrpcAddress()).isEqualTo(Path.of("/run/longshore/longshore.sock.ttrpc"));
        assertThat(config.metricsAddress()).isEmpty();
        assertThat(config.contentSharing()).isEqualTo(SharingPolicy.SHARED);
        assertThat(config.proxyPlugins()).extracting(ProxyPluginConfig::id).containsExactly("overlayfs");
        assertThat(config.proxyPlugins().getFirst().capabilities()).containsExactly("rebase");
    }

    @Test
    void whatIsPrintedAsTheDefaultReadsBackAsTheDefault() throws ConfigException {
        ConfigReader.Result result = read(ConfigText.defaults());
        assertThat(result.config()).isEqualTo(read("").config());
        assertThat(result.warnings()).isEmpty();
    }

    @Test
    void everyKeyIsRead() throws ConfigException {
        ConfigReader.Result result = read("""
                version = 4
                root = "/a"
                state = "/b"
                oom_score = -999
                [debug]
                level = "debug"
                [timeouts]
                "io.containerd.timeout.task.state" = "3s"
                [proxy_plugins.stargz]
                type = "snapshot"
                address = "unix:///run/stargz.sock"
                capabilities = ["rebase"]
                timeout = "5s"
                [proxy_plugins.stargz.exports]
                root = "/x"
                [stream_processors."io.containerd.ocicrypt.decoder.v1.tar"]
                accepts = ["a"]
                returns = "b"
                path = "ctd-decoder"
                args = ["--x"]
                env = ["A=b"]
                [plugins."io.containerd.server.v1.grpc"]
                address = "/c.sock"
                uid = 1
                gid = 2
                [plugins."io.containerd.server.v1.ttrpc"]
                address = "/d.sock"
                [plugins."io.containerd.server.v1.metrics"]
                address = "127.0.0.1:1338"
                [plugins."io.containerd.gc.v1.scheduler"]
                pause_threshold = 0.1
                deletion_threshold = 1
                mutation_threshold = 2
                schedule_delay = "3ms"
                startup_delay = "4s"
                [plugins."io.containerd.metadata.v1.bolt"]
                content_sharing_policy = "isolated"
                [plugins."io.containerd.shim.v1.manager"]
                env = ["SCHED_CORE=1"]
                socket_dir = "/run/s"
                [plugins."io.containerd.service.v1.diff-service"]
                sync_fs = true
                """);
        Config config = result.config();
        assertThat(result.warnings()).isEmpty();
        assertThat(config.root()).isEqualTo(Path.of("/a"));
        assertThat(config.oomScore()).isEqualTo(-999);
        assertThat(config.logLevel()).isEqualTo("debug");
        assertThat(config.timeouts()).containsEntry("io.containerd.timeout.task.state", Duration.ofSeconds(3));
        ProxyPluginConfig plugin = config.proxyPlugins().getFirst();
        assertThat(plugin.address()).isEqualTo(Path.of("/run/stargz.sock"));
        assertThat(plugin.timeout()).isEqualTo(Duration.ofSeconds(5));
        assertThat(plugin.exports()).containsEntry("root", "/x");
        assertThat(config.streamProcessors().values())
                .first()
                .satisfies(processor -> assertThat(processor.env()).containsExactly("A=b"));
        assertThat(config.grpc()).isEqualTo(new Config.Socket(Path.of("/c.sock"), 1, 2));
        assertThat(config.ttrpcAddress()).isEqualTo(Path.of("/d.sock"));
        assertThat(config.metricsAddress()).contains("127.0.0.1:1338");
        assertThat(config.gc().startupDelay()).isEqualTo(Duration.ofSeconds(4));
        assertThat(config.contentSharing()).isEqualTo(SharingPolicy.ISOLATED);
        assertThat(config.shimEnvironment()).isEqualTo(List.of("SCHED_CORE=1"));
        assertThat(config.socketDir()).isEqualTo(Path.of("/run/s"));
        assertThat(config.syncFs()).isTrue();
        assertThat(read(ConfigText.of(config)).config()).isEqualTo(config);
    }

    @Test
    void olderPlacesAreReadAndEmptyMeansUnset() throws ConfigException {
        Config config = read("""
                version = 2
                [grpc]
                address = "/run/old.sock"
                uid = 7
                [ttrpc]
                address = ""
                [metrics]
                address = ""
                """).config();
        assertThat(config.grpc().address()).isEqualTo(Path.of("/run/old.sock"));
        assertThat(config.grpc().uid()).isEqualTo(7);
        assertThat(config.ttrpcAddress()).isEqualTo(Path.of("/run/old.sock.ttrpc"));
        assertThat(config.metricsAddress()).isEmpty();
    }

    @Test
    void anUnknownKeyIsReportedWithItsPlaceAndTheNearestKnownOne() throws ConfigException {
        assertThat(read("rot = \"/a\"").warnings())
                .singleElement()
                .hasToString("test.toml:1:1: unknown key rot: did you mean root?");
    }

    @Test
    void badValuesEndTheStartAndAllAreReportedWithTheirPlaces() {
        assertThatThrownBy(() -> read("""
                        version = 5
                        oom_score = 99999999999
                        [debug]
                        level = "loud"
                        [timeouts]
                        "io.containerd.timeout.task.state" = "soon"
                        [proxy_plugins.x]
                        type = "snapshto"
                        address = "relative"
                        """))
                .isInstanceOf(ConfigException.class)
                .hasMessageContainingAll(
                        "test.toml:1:1",
                        "test.toml:2:1",
                        "test.toml:4:1",
                        "test.toml:6:1",
                        "test.toml:8:1",
                        "test.toml:9:1");
    }

    @Test
    void whatIsNoTomlIsReportedWithItsPlace() {
        assertThatThrownBy(() -> read("root = ["))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("test.toml:1:");
    }
}
