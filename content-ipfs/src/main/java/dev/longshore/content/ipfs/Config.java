package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.kubo.ApiAddress;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.flag.Flags;
import dev.longshore.sdk.flag.Flags.Parsed;
import dev.longshore.sdk.flag.Flags.UsageException;
import dev.longshore.sdk.log.Logging;
import dev.longshore.transport.serve.ServeOptions;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * What the command line says.
 *
 * @param serve where and for whom
 * @param root absolute, where blocks are kept
 * @param api of an IPFS node that has copies of all blobs, and gives what others have; empty for none
 * @param gateway a trustless gateway to ask for blocks that are not here
 * @param serveGateway where to give blocks to peers
 * @param blockTimeout what a source has for one block
 */
record Config(
        ServeOptions serve,
        Path root,
        Optional<ApiAddress> api,
        Optional<URI> gateway,
        Optional<InetSocketAddress> serveGateway,
        Duration blockTimeout,
        String logLevel) {

    static final Duration DEFAULT_BLOCK_TIMEOUT = Duration.ofSeconds(30);

    /** The value of {@code --api} that names no node. */
    private static final String EMBEDDED = "embedded";

    Config {
        if (!Logging.LEVELS.contains(logLevel)) {
            throw new InvalidArgumentException("--log-level %s: must be one of %s".formatted(logLevel, Logging.LEVELS));
        }
    }

    static Flags flags() {
        return ServeOptions.flags(new Flags("longshore-content-ipfs --address SOCKET --root DIR [flags]"))
                .option("root", "DIR", "where blocks are kept")
                .option(
                        "api",
                        "MULTIADDR",
                        "an IPFS node to keep copies of all blobs in and to ask for blocks, e.g. /ip4/127.0.0.1/tcp/5001;"
                                + " default: embedded, which is none")
                .option("gateway", "URL", "a trustless gateway to ask for blocks that are not here")
                .option(
                        "serve-gateway",
                        "HOST:PORT",
                        "give blocks to peers there, as a trustless gateway; default: to nobody")
                .option("block-timeout", "SECONDS", "what a source has for one block; default 30")
                .option("log-level", "LEVEL", "trace, debug, info, warn or error; default info");
    }

    /**
     * Reads the command line.
     *
     * @throws UsageException if a flag is missing
     * @throws InvalidArgumentException if a value is not one
     */
    static Config of(Parsed flags) throws UsageException, IOException {
        if (!flags.arguments().isEmpty()) {
            throw new InvalidArgumentException(
                    "unexpected argument " + flags.arguments().getFirst());
        }
        return new Config(
                ServeOptions.of(flags),
                Path.of(flags.require("root")).toAbsolutePath().normalize(),
                flags.value("api").filter(api -> !api.equals(EMBEDDED)).map(ApiAddress::parse),
                flags.value("gateway").map(Config::url),
                flags.value("serve-gateway").map(Config::address),
                flags.value("block-timeout").map(Config::seconds).orElse(DEFAULT_BLOCK_TIMEOUT),
                flags.value("log-level").orElse("info"));
    }

    private static URI url(String text) {
        try {
            URI url = URI.create(text);
            if (url.getHost() != null && ("http".equals(url.getScheme()) || "https".equals(url.getScheme()))) {
                return url;
            }
        } catch (IllegalArgumentException e) {
            // Told below.
        }
        throw new InvalidArgumentException(
                "--gateway %s: must be a URL, e.g. https://ipfs.example or http://127.0.0.1:8080".formatted(text));
    }

    private static InetSocketAddress address(String text) {
        int colon = text.lastIndexOf(':');
        try {
            if (colon > 0) {
                InetSocketAddress address =
                        new InetSocketAddress(text.substring(0, colon), Integer.parseInt(text.substring(colon + 1)));
                if (!address.isUnresolved()) {
                    return address;
                }
            }
        } catch (IllegalArgumentException e) {
            // Told below.
        }
        throw new InvalidArgumentException(
                "--serve-gateway %s: must be HOST:PORT, e.g. 127.0.0.1:8080, or 0.0.0.0:8080 for every address"
                        .formatted(text));
    }

    private static Duration seconds(String text) {
        try {
            int seconds = Integer.parseInt(text);
            if (seconds >= 1 && seconds <= 24 * 60 * 60) {
                return Duration.ofSeconds(seconds);
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw new InvalidArgumentException("--block-timeout %s: must be seconds, from 1 on".formatted(text));
    }
}
