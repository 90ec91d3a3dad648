package dev.longshore.daemon.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.sdk.config.ConfigException;
import dev.longshore.transport.grpc.PluginAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that import others; how they are merged was seen in the output of {@code containerd config dump}. */
class ConfigImportsTest {

    @TempDir
    Path folder;

    private void file(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private ConfigReader.Result result() throws ConfigException, IOException {
        return ConfigReader.read(Optional.of(folder.resolve("config.toml")), ConfigReader.Overrides.NONE);
    }

    private Config read() throws ConfigException, IOException {
        return result().config();
    }

    @Test
    void scalarsOfALaterFileWinUnlessTheyAreEmptyAndListsAreJoined() throws Exception {
        file("config.toml", """
                imports = ["more.toml"]
                root = "/a"
                state = "/s"
                oom_score = 5
                disabled_plugins = ["io.containerd.grpc.v1.cri", "a.b"]
                """);
        file("more.toml", """
                root = ""
                state = "/t"
                oom_score = 0
                disabled_plugins = ["a.b", "c.d"]
                """);
        Config config = read();
        assertThat(config.root()).isEqualTo(Path.of("/a"));
        assertThat(config.state()).isEqualTo(Path.of("/t"));
        assertThat(config.oomScore()).isEqualTo(5);
        assertThat(config.disabledPlugins()).containsExactly("io.containerd.grpc.v1.cri", "a.b", "c.d");
    }

    @Test
    void tablesOfPluginsAreMergedAndTheirValuesReplaced() throws Exception {
        file("config.toml", """
                imports = ["more.toml"]
                [plugins."io.containerd.service.v1.diff-service"]
                sync_fs = true
                [plugins."io.containerd.shim.v1.manager"]
                env = ["A=1"]
                socket_dir = "/s"
                """);
        file("more.toml", """
                [plugins."io.containerd.service.v1.diff-service"]
                sync_fs = false
                [plugins."io.containerd.shim.v1.manager"]
                env = ["B=1"]
                """);
        Config config = read();
        assertThat(config.syncFs()).isFalse();
        assertThat(config.shimEnvironment()).containsExactly("B=1");
        assertThat(config.socketDir()).isEqualTo(Path.of("/s"));
    }

    @Test
    void proxyPluginsStreamProcessorsAndTimeoutsAreReplacedByName() throws Exception {
        file("config.toml", """
                imports = ["more.toml"]
                [proxy_plugins.kept]
                type = "snapshot"
                address = "/kept.sock"
                [proxy_plugins.replaced]
                type = "snapshot"
                address = "/before.sock"
                capabilities = ["rebase"]
                timeout = "1s"
                [stream_processors.a]
                accepts = ["x"]
                path = "before"
                [timeouts]
                "io.containerd.timeout.task.state" = "1s"
                "io.containerd.timeout.shim.load" = "1s"
                """);
        file("more.toml", """
                [proxy_plugins.replaced]
                type = "snapshot"
                address = "/after.sock"
                [stream_processors.a]
                path = "after"
                [timeouts]
                "io.containerd.timeout.shim.load" = "2s"
                """);
        Config config = read();
        assertThat(config.proxyPlugins()).extracting(ProxyPluginConfig::id).containsExactly("kept", "replaced");
        ProxyPluginConfig replaced = config.proxyPlugins().get(1);
        assertThat(replaced.address()).isEqualTo(new PluginAddress.Unix(Path.of("/after.sock")));
        assertThat(replaced.capabilities()).isEmpty();
        assertThat(replaced.timeout()).isEqualTo(ProxyPluginConfig.DEFAULT_TIMEOUT);
        assertThat(config.streamProcessors().get("a")).satisfies(processor -> {
            assertThat(processor.path()).isEqualTo("after");
            assertThat(processor.accepts()).isEmpty();
        });
        assertThat(config.timeouts())
                .containsEntry("io.containerd.timeout.task.state", Duration.ofSeconds(1))
                .containsEntry("io.containerd.timeout.shim.load", Duration.ofSeconds(2));
    }

    @Test
    void patternsMatchInEveryPartOfThePathInTheOrderOfNames() throws Exception {
        file("config.toml", "imports = [\"*/[ab]?.toml\"]\nroot = \"/0\"\n");
        file("y/b1.toml", "root = \"/last\"\nstate = \"/y\"\n");
        file("x/a1.toml", "root = \"/first\"\noom_score = 3\n");
        file("x/c1.toml", "root = \"/not-at-all\"\n");
        file("x/a10.toml", "root = \"/nor-this\"\n");
        Config config = read();
        assertThat(config.root()).isEqualTo(Path.of("/last"));
        assertThat(config.state()).isEqualTo(Path.of("/y"));
        assertThat(config.oomScore()).isEqualTo(3);
    }

    @Test
    void importsAreRelativeToTheirOwnFileAndComeAfterThoseOfTheImportingOne() throws Exception {
        file("config.toml", "imports = [\"sub/one.toml\", \"two.toml\"]\n");
        file("sub/one.toml", "imports = [\"three.toml\"]\nroot = \"/one\"\n");
        file("two.toml", "root = \"/two\"\n");
        file("sub/three.toml", "root = \"/three\"\n");
        assertThat(read().root()).isEqualTo(Path.of("/three"));
    }

    @Test
    void cyclesEnd() throws Exception {
        file("config.toml", "imports = [\"more.toml\", \"config.toml\"]\nroot = \"/a\"\n");
        file(
                "more.toml",
                "imports = [\"./config.toml\", \"../%s/more.toml\"]\nroot = \"/b\"\n".formatted(folder.getFileName()));
        assertThat(read().root()).isEqualTo(Path.of("/b"));
    }

    @Test
    void confDIsImportedUnlessTheFileSaysOtherwise() throws Exception {
        file("config.toml", "root = \"/a\"\n");
        file("conf.d/x.toml", "root = \"/b\"\n");
        assertThat(read().root()).isEqualTo(Path.of("/b"));
        assertThat(result().read().imported()).containsExactly(folder.resolve("conf.d/x.toml"));
        file("config.toml", "root = \"/a\"\nimports = []\n");
        assertThat(read().root()).isEqualTo(Path.of("/a"));
    }

    @Test
    void eachFileIsOfItsOwnVersionAndNoneNewerThanTheFirst() throws Exception {
        file("config.toml", """
                version = 3
                imports = ["more.toml"]
                [plugins."io.containerd.server.v1.grpc"]
                address = "/first.sock"
                """);
        file("more.toml", "version = 2\n[grpc]\naddress = \"/second.sock\"\n");
        assertThat(read().grpc().address()).isEqualTo(Path.of("/second.sock"));

        file("more.toml", "\nversion = 4\n");
        assertThatThrownBy(this::read)
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining(folder.resolve("more.toml") + ":2:1: version 4 is newer");
    }

    @Test
    void mistakesAreReportedInTheFileThatHasThem() throws Exception {
        file("config.toml", "imports = [\"more.toml\"]\noom_scor = 1\n");
        file("more.toml", "\n[debug]\nlevel = \"loud\"\n");
        assertThatThrownBy(this::read)
                .isInstanceOf(ConfigException.class)
                .hasMessage(folder.resolve("more.toml") + ":3:1: debug.level \"loud\" is none of "
                        + dev.longshore.sdk.log.Logging.LEVELS);
        file("more.toml", "[debug");
        assertThatThrownBy(this::read).hasMessageContaining(folder.resolve("more.toml") + ":1:");
        file("more.toml", "");
        assertThat(result().warnings())
                .singleElement()
                .hasToString(folder.resolve("config.toml") + ":2:1: unknown key oom_scor: did you mean oom_score?");
    }

    @Test
    void aFileThatIsNamedMustBeThereAndBeOne() throws Exception {
        file("config.toml", "imports = [\"missing.toml\"]\n");
        assertThatThrownBy(this::read)
                .isInstanceOf(ConfigException.class)
                .hasMessage(folder.resolve("missing.toml") + ": no such file");
        Files.createDirectory(folder.resolve("missing.toml"));
        assertThatThrownBy(this::read).isInstanceOf(ConfigException.class).hasMessageContaining("no regular file");
        Files.delete(folder.resolve("missing.toml"));
        Files.write(folder.resolve("missing.toml"), new byte[] {'#', (byte) 0xff});
        assertThatThrownBy(this::read).isInstanceOf(ConfigException.class).hasMessageContaining("not UTF-8");
    }

    /** The defaults of the containerd on the PATH, and of those that {@code CONTAINERD_BINARIES} names (with colons between). */
    @Test
    void containerdsOwnDefaultsAreTakenWithWarningsAtMost() throws Exception {
        List<Path> programs = Arrays.stream((System.getenv("PATH") + ":/none").split(":", -1))
                .map(entry -> Path.of(entry, "containerd"))
                .toList();
        String named = Optional.ofNullable(System.getenv("CONTAINERD_BINARIES")).orElse("");
        List<Path> all = java.util.stream.Stream.concat(
                        programs.stream().filter(Files::isExecutable).limit(1),
                        Arrays.stream(named.split(":", -1))
                                .filter(text -> !text.isEmpty())
                                .map(Path::of))
                .toList();
        assumeTrue(!all.isEmpty(), "containerd is not installed: apt-get install containerd");
        for (Path program : all) {
            Process process = new ProcessBuilder(program.toString(), "config", "default")
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String text = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
            assertThat(process.waitFor()).isZero();
            file("config.toml", text.replace("/etc/containerd/conf.d", "conf.d"));
            ConfigReader.Result result = result();
            assertThat(result.config().grpc().address()).isEqualTo(Path.of("/run/containerd/containerd.sock"));
            assertThat(result.config().ttrpc().address()).isEqualTo(Path.of("/run/containerd/containerd.sock.ttrpc"));
            assertThat(result.config().root()).isEqualTo(Path.of("/var/lib/containerd"));
            // Those two, and ours for zstd.
            assertThat(result.config().streamProcessors()).hasSize(3);
            assertThat(result.config().gc().mutationThreshold()).isEqualTo(100);
            assertThat(result.warnings())
                    .allSatisfy(
                            warning -> assertThat(warning.message())
                                    .matches(
                                            "there is no plugin \\S+ here: its table is of no effect|plugins.*is of no effect here"));
        }
    }
}
