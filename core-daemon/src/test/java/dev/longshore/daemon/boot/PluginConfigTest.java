package dev.longshore.daemon.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.daemon.boot.ConfigReader.Overrides;
import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.sdk.config.ConfigException;
import dev.longshore.sdk.config.ConfigProblem;
import dev.longshore.transport.grpc.PluginAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What may be wrong in {@code [proxy_plugins]}, and where that is said to be. */
class PluginConfigTest {

    @TempDir
    Path folder;

    private static void refuses(String text, String... parts) {
        assertThatThrownBy(() -> ConfigReader.parse(text, "c.toml"))
                .isInstanceOf(ConfigException.class)
                .hasMessageContainingAll(parts);
    }

    @Test
    void anUnknownTypeIsAnErrorWithItsPlace() {
        refuses("""
                [proxy_plugins.a]
                type = "snapshoter"
                address = "/a.sock"
                """, "c.toml:2:1", "unknown proxy plugin type \"snapshoter\"", "snapshot, content, diff or sandbox");
    }

    @Test
    void twoPluginsUnderOneNameAreAnErrorInOneFile() {
        refuses("""
                [proxy_plugins.a]
                type = "snapshot"
                address = "/a.sock"
                [proxy_plugins.a]
                type = "snapshot"
                address = "/b.sock"
                """, "c.toml:4", "proxy_plugins.a");
    }

    @Test
    void twoPluginsUnderOneNameAreSaidOfTwoFilesOfWhichTheLaterCounts() throws Exception {
        Path first = Files.writeString(folder.resolve("config.toml"), """
                imports = ["conf.d/*.toml"]
                [proxy_plugins.a]
                type = "snapshot"
                address = "/a.sock"
                """);
        Path later = Files.writeString(
                Files.createDirectory(folder.resolve("conf.d")).resolve("b.toml"), """
                [proxy_plugins.a]
                type = "snapshot"
                address = "/b.sock"
                """);
        ConfigReader.Result result = ConfigReader.read(Optional.of(first), Overrides.NONE);
        assertThat(result.config().proxyPlugins())
                .extracting(plugin -> plugin.address().toString())
                .containsExactly("/b.sock");
        assertThat(result.warnings())
                .extracting(ConfigProblem::toString)
                .containsExactly(
                        "%s:1:1: proxy_plugins.a takes the place of the one at %s:2:1".formatted(later, first));
    }

    @Test
    void aNameThatIsBuiltInIsAnError() {
        refuses("""
                [proxy_plugins.walking]
                type = "diff"
                address = "/a.sock"
                """, "c.toml:2:1", "a second plugin io.containerd.differ.v1.walking", "disabled_plugins");
    }

    @Test
    void aBuiltInThatIsDisabledMayBeReplaced() throws Exception {
        Config config = ConfigReader.parse("""
                        disabled_plugins = ["io.containerd.content.v1.content"]
                        [proxy_plugins.content]
                        type = "content"
                        address = "/a.sock"
                        """, "c.toml").config();
        assertThat(config.proxyPlugins()).extracting(ProxyPluginConfig::id).containsExactly("content");
    }

    @Test
    void anotherMachineWithoutTlsIsRefusedAndWhyIsSaid() {
        refuses("""
                [proxy_plugins.a]
                type = "snapshot"
                address = "tcp://storage:4711"
                """, "c.toml:3:1", "[proxy_plugins.a.tls]", "root mounts", "insecure = true");
    }

    @Test
    void anotherMachineWithoutTlsIsTakenWhenTheOperatorSaysSo() throws Exception {
        Config config = ConfigReader.parse("""
                        [proxy_plugins.a]
                        type = "snapshot"
                        address = "dns:///storage:4711"
                        insecure = true
                        """, "c.toml").config();
        assertThat(config.proxyPlugins().getFirst().address())
                .isEqualTo(new PluginAddress.Remote("storage", 4711, true));
        assertThat(config.proxyPlugins().getFirst().tls()).isEmpty();
        assertThat(ConfigReader.parse(ConfigText.of(config), "dump").config().proxyPlugins())
                .isEqualTo(config.proxyPlugins());
    }

    @Test
    void whatIsMissingOrUselessInTlsIsSaid() {
        refuses("""
                [proxy_plugins.a]
                type = "snapshot"
                address = "tcp://storage:4711"
                [proxy_plugins.a.tls]
                ca = "/nowhere/ca.pem"
                cert = "cert.pem"
                """, "proxy_plugins.a.tls.key is required", "c.toml:6:1", "must be an absolute path");
        refuses("""
                [proxy_plugins.a]
                type = "snapshot"
                address = "tcp://storage:4711"
                [proxy_plugins.a.tls]
                ca = "/nowhere/ca.pem"
                cert = "/nowhere/cert.pem"
                key = "/nowhere/key.pem"
                """, "c.toml:4:1", "/nowhere/ca.pem cannot be read");
        refuses("""
                [proxy_plugins.a]
                type = "snapshot"
                address = "/a.sock"
                [proxy_plugins.a.tls]
                ca = "/a"
                cert = "/b"
                key = "/c"
                """, "c.toml:4:1", "of no use for a unix socket");
    }

    @Test
    void anAddressOfAnotherKindIsRefused() {
        refuses("""
                [proxy_plugins.a]
                type = "snapshot"
                address = "vsock://3:4"
                """, "c.toml:3:1", "tcp://host:port");
        refuses("""
                [proxy_plugins.a]
                type = "snapshot"
                address = "tcp://storage"
                """, "c.toml:3:1", "a host and a port");
    }

    @Test
    void aDifferThatIsNotThereIsAnError() {
        refuses("""
                [plugins."io.containerd.service.v1.diff-service"]
                default = ["erofs", "walking"]
                """, "c.toml:2:1", "names the differ erofs");
    }
}
