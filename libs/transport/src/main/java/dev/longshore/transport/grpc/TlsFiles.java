package dev.longshore.transport.grpc;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.net.ssl.SSLException;

/**
 * What mutual TLS needs, as PEM files.
 *
 * @param ca the authorities that the other side's certificate must come from
 * @param cert this side's certificate, with what is between it and the other side's authorities
 * @param key its key, in PKCS#8
 * @param fingerprint of what was in the files, so that renewed ones are not taken for the same
 */
public record TlsFiles(Path ca, Path cert, Path key, String fingerprint) {

    /** Bytes of one file. */
    private static final long MAX_SIZE = 1 << 20;

    /** @throws InvalidArgumentException if a file cannot be read, or has not in it what it is to have */
    public static TlsFiles read(Path ca, Path cert, Path key) {
        MessageDigest content = Digest.digester("sha256");
        for (Path file : new Path[] {ca, cert, key}) {
            try {
                if (Files.size(file) > MAX_SIZE) {
                    throw new InvalidArgumentException("%s is larger than %d bytes".formatted(file, MAX_SIZE));
                }
                content.update(Files.readAllBytes(file));
            } catch (IOException e) {
                throw new InvalidArgumentException("%s cannot be read: %s".formatted(file, e), e);
            }
        }
        TlsFiles files = new TlsFiles(ca, cert, key, HexFormat.of().formatHex(content.digest()));
        SslContext _ = files.clientContext();
        return files;
    }

    /** For a client that shows its certificate, and asks for the server's. */
    SslContext clientContext() {
        try {
            return GrpcSslContexts.forClient()
                    .trustManager(ca.toFile())
                    .keyManager(cert.toFile(), key.toFile())
                    .build();
        } catch (SSLException | IllegalArgumentException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new InvalidArgumentException(
                    "%s, %s and %s cannot be used for TLS: they must be PEM, and the key in PKCS#8: %s"
                            .formatted(ca, cert, key, cause.getMessage()),
                    e);
        }
    }
}
