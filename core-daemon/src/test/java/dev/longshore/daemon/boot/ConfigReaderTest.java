package dev.longshore.daemon.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.sdk.config.ConfigException;
import dev.longshore.transport.grpc.PluginAddress;
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
        assertThat(config.ttrpc().address()).isEqualTo(Path.of("/run/longshore/longshore.sock.ttrpc"));
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
                strict = true
                disabled_plugins = ["io.containerd.grpc.v1.tasks"]
                required_plugins = ["io.containerd.snapshotter.v1.stargz"]
                [debug]
                level = "debug"
                format = "json"
                [timeouts]
                "io.containerd.timeout.task.state" = "3s"
                [proxy_plugins.stargz]
                type = "snapshot"
                address = "unix:///run/stargz.sock"
                capabilities = ["rebase"]
                platform = "linux/arm64"
                timeout = "5s"
                max_inflight = 7
                [proxy_plugins.stargz.health]
                interval = "1m"
                [proxy_plugins.stargz.exports]
                root = "/x"
                [proxy_plugins.other]
                type = "diff"
                address = "/run/other.sock"
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
                max_recv_message_size = 3
                max_send_message_size = 4
                [plugins."io.containerd.server.v1.ttrpc"]
                address = "/d.sock"
                uid = 5
                gid = 6
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
                default = ["other", "walking"]
                sync_fs = true
                """);
        Config config = result.config();
        assertThat(result.warnings()).isEmpty();
        assertThat(config.root()).isEqualTo(Path.of("/a"));
        assertThat(config.oomScore()).isEqualTo(-999);
        assertThat(config.logLevel()).isEqualTo("debug");
        assertThat(config.timeouts()).containsEntry("io.containerd.timeout.task.state", Duration.ofSeconds(3));
        ProxyPluginConfig plugin = config.proxyPlugins().getFirst();
        assertThat(plugin.address()).isEqualTo(new PluginAddress.Unix(Path.of("/run/stargz.sock")));
        assertThat(plugin.timeout()).isEqualTo(Duration.ofSeconds(5));
        assertThat(plugin.platform()).isEqualTo("linux/arm64");
        assertThat(plugin.healthInterval()).isEqualTo(Duration.ofMinutes(1));
        assertThat(plugin.maxInflight()).isEqualTo(7);
        assertThat(plugin.exports()).containsEntry("root", "/x");
        assertThat(config.streamProcessors().values())
                .last()
                .satisfies(processor -> assertThat(processor.env()).containsExactly("A=b"));
        assertThat(config.grpc()).isEqualTo(new Config.Socket(Path.of("/c.sock"), 1, 2));
        assertThat(config.ttrpc()).isEqualTo(new Config.Socket(Path.of("/d.sock"), 5, 6));
        assertThat(config.messages()).isEqualTo(new Config.MessageLimits(3, 4));
        assertThat(config.strict()).isTrue();
        assertThat(config.logFormat()).isEqualTo("json");
        assertThat(config.disabledPlugins()).containsExactly("io.containerd.grpc.v1.tasks");
        assertThat(config.requiredPlugins()).containsExactly("io.containerd.snapshotter.v1.stargz");
        assertThat(config.differs()).containsExactly("other", "walking");
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
        ConfigReader.Result result = read("""
                version = 2
                [grpc]
                address = "/run/old.sock"
                uid = 7
                max_recv_message_size = 1000
                [ttrpc]
                address = ""
                [metrics]
                address = ""
                [debug]
                address = ""
                uid = 0
                [plugins."io.containerd.runtime.v2.task"]
                platforms = ["linux/amd64"]
                sched_core = true
                [plugins."io.containerd.gc.v1.scheduler"]
                mutation_threshold = 5
                """);
        Config config = result.config();
        assertThat(config.grpc().address()).isEqualTo(Path.of("/run/old.sock"));
        assertThat(config.grpc().uid()).isEqualTo(7);
        assertThat(config.messages().received()).isEqualTo(1000);
        assertThat(config.messages().sent()).isEqualTo(16 << 20);
        assertThat(config.ttrpc().address()).isEqualTo(Path.of("/run/old.sock.ttrpc"));
        assertThat(config.metricsAddress()).isEmpty();
        assertThat(config.shimEnvironment()).containsExactly("SCHED_CORE=1");
        assertThat(config.gc().mutationThreshold()).isEqualTo(5);
        assertThat(result.warnings()).isEmpty();
    }

    @Test
    void newPlacesWinOverOlderOnesInOneFile() throws ConfigException {
        Config config = read("""
                version = 3
                [grpc]
                address = "/run/old.sock"
                gid = 8
                [plugins."io.containerd.server.v1.grpc"]
                address = "/run/new.sock"
                """).config();
        assertThat(config.grpc()).isEqualTo(new Config.Socket(Path.of("/run/new.sock"), 0, 8));
    }

    @Test
    void mistakesInOlderPlacesAreReportedThere() {
        assertThatThrownBy(() -> read("version = 2\n[grpc]\naddress = \"relative\"\n"))
                .isInstanceOf(ConfigException.class)
                .hasMessageStartingWith("test.toml:3:1: plugins.\"io.containerd.server.v1.grpc\".address");
    }

    @Test
    void anUnknownKeyIsReportedWithItsPlaceAndTheNearestKnownOne() throws ConfigException {
        assertThat(read("rot = \"/a\"").warnings())
                .singleElement()
                .hasToString("test.toml:1:1: unknown key rot: did you mean root?");
        assertThat(read("[plugins.\"io.containerd.gc.v1.schedular\"]\npause_threshold = 0.1\n")
                        .warnings())
                .singleElement()
                .hasToString("test.toml:1:1: unknown key plugins.\"io.containerd.gc.v1.schedular\":"
                        + " did you mean io.containerd.gc.v1.scheduler?");
        assertThat(read("[plugins.\"io.containerd.gc.v1.scheduler\"]\npause_treshold = 0.1\n")
                        .warnings())
                .singleElement()
                .hasToString("test.toml:2:1: unknown key plugins.\"io.containerd.gc.v1.scheduler\".pause_treshold:"
                        + " did you mean pause_threshold?");
        assertThat(read("[timeouts]\n\"io.containerd.timeout.shim.laod\" = \"1s\"\n")
                        .warnings())
                .singleElement()
                .hasToString("test.toml:2:1: timeouts.\"io.containerd.timeout.shim.laod\" is unknown:"
                        + " did you mean io.containerd.timeout.shim.load?");
        assertThat(read("disabled_plugins = [\"io.containerd.grpc.v1.task\"]").warnings())
                .singleElement()
                .hasToString("test.toml:1:1: there is no plugin io.containerd.grpc.v1.task to disable:"
                        + " did you mean io.containerd.grpc.v1.tasks?");
    }

    @Test
    void whatTheFileSaysForPluginsOfContainerdIsWarnedOf() throws ConfigException {
        assertThat(read("""
                        [cgroup]
                        path = "/x"
                        [plugins."io.containerd.grpc.v1.cri"]
                        sandbox_image = "pause"
                        [plugins."io.containerd.grpc.v1.cri".cni]
                        bin_dir = "/opt"
                        [plugins."io.containerd.server.v1.grpc-tcp"]
                        address = "0.0.0.0:1234"
                        """).warnings())
                .extracting(Object::toString)
                .containsExactlyInAnyOrder(
                        "test.toml:2:1: cgroup.path is of no effect here",
                        "test.toml:3:1: there is no plugin io.containerd.grpc.v1.cri here: its table is of no effect",
                        "test.toml:8:1: plugins.\"io.containerd.server.v1.grpc-tcp\".address is of no effect here");
    }

    @Test
    void strictnessMakesErrorsOfWarnings() {
        assertThatThrownBy(() -> read("strict = true\nrot = \"/a\""))
                .isInstanceOf(ConfigException.class)
                .hasMessage("test.toml:2:1: unknown key rot: did you mean root?");
    }

    @Test
    void whatIsMissingIsReportedWhereItIsMissing() {
        assertThatThrownBy(() -> read("\n[proxy_plugins.x]\ncapabilities = []\n"))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("test.toml:2:1: proxy_plugins.x.type is required")
                .hasMessageContaining("test.toml:2:1: proxy_plugins.x.address is required");
    }

    @Test
    void pluginsThatTheDaemonNeedsCannotBeDisabled() {
        assertThatThrownBy(() -> read("disabled_plugins = [\"io.containerd.event.v1.exchange\", \"cri\"]"))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("test.toml:1:1: disabled_plugins names io.containerd.event.v1.exchange")
                .hasMessageContaining("test.toml:1:1: disabled_plugins \"cri\" is no plugin");
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
