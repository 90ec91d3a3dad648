package dev.longshore.content.ipfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.content.ipfs.kubo.ApiAddress;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.flag.Flags.UsageException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ConfigTest {

    private static Config parse(String... more) throws UsageException, IOException {
        List<String> arguments = new ArrayList<>(List.of("--address", "/run/ipfs.sock", "--root", "/data/../ipfs"));
        arguments.addAll(List.of(more));
        return Config.of(Config.flags().parse(arguments));
    }

    @Test
    void defaultsKeepBlocksAndAskNobody() throws Exception {
        Config config = parse();
        assertThat(config.serve().socket().path()).isEqualTo(Path.of("/run/ipfs.sock"));
        assertThat(config.root()).isEqualTo(Path.of("/ipfs"));
        assertThat(config.api()).isEmpty();
        assertThat(parse("--api", "embedded").api()).isEmpty();
        assertThat(config.gateway()).isEmpty();
        assertThat(config.serveGateway()).isEmpty();
        assertThat(config.blockTimeout()).isEqualTo(Duration.ofSeconds(30));
        assertThat(config.logLevel()).isEqualTo("info");
    }

    @Test
    void everyFlagIsRead() throws Exception {
        Config config = parse(
                "--api",
                "/ip4/127.0.0.1/tcp/5001",
                "--gateway",
                "https://ipfs.example/",
                "--serve-gateway",
                "127.0.0.1:8080",
                "--block-timeout",
                "5",
                "--log-level",
                "debug");
        assertThat(config.api()).contains(ApiAddress.parse("/ip4/127.0.0.1/tcp/5001"));
        assertThat(config.gateway()).contains(URI.create("https://ipfs.example/"));
        assertThat(config.serveGateway()).contains(new InetSocketAddress(InetAddress.getLoopbackAddress(), 8080));
        assertThat(config.blockTimeout()).isEqualTo(Duration.ofSeconds(5));
        assertThat(config.logLevel()).isEqualTo("debug");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--gateway=ipfs.example",
                "--gateway=ftp://ipfs.example",
                "--gateway=http://[",
                "--serve-gateway=8080",
                "--serve-gateway=127.0.0.1:http",
                "--serve-gateway=127.0.0.1:99999",
                "--block-timeout=0",
                "--block-timeout=soon",
                "--log-level=loud"
            })
    void valuesThatAreNoneAreRefusedByTheirFlag(String flag) {
        assertThatThrownBy(() -> parse(flag))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(flag.substring(0, flag.indexOf('=')));
    }

    @Test
    void addressAndRootAreNeeded() {
        assertThatThrownBy(() -> Config.of(Config.flags().parse(List.of("--root", "/ipfs"))))
                .isInstanceOf(UsageException.class);
        assertThatThrownBy(() -> Config.of(Config.flags().parse(List.of("--address", "/ipfs.sock"))))
                .isInstanceOf(UsageException.class);
    }
}
