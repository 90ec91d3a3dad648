package dev.longshore.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnauthenticatedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.oci.Reference;
import dev.longshore.testkit.RegistryProcess;
import dev.longshore.testkit.RegistryProcess.Access;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The client with a real registry. */
class RegistryIT {

    private static final CallContext CONTEXT = CallContext.of("default", Duration.ofMinutes(2));

    @TempDir
    Path folder;

    private final byte[] layer = bytes(3_000_000);
    private final byte[] config = "{\"os\":\"linux\"}".getBytes(StandardCharsets.UTF_8);

    private static byte[] bytes(int size) {
        byte[] bytes = new byte[size];
        new Random(1).nextBytes(bytes);
        return bytes;
    }

    private static Descriptor descriptor(String type, byte[] bytes) {
        return new Descriptor(type, Digest.sha256(bytes), bytes.length);
    }

    private Registry client(Credentials credentials) {
        return new Registry(new HostsDirectory(List.of(folder.resolve("certs.d")), false), credentials);
    }

    private void hosts(String host, String toml) throws IOException {
        Path hosts = Files.createDirectories(folder.resolve("certs.d").resolve(host));
        Files.writeString(hosts.resolve("hosts.toml"), toml);
    }

    /** Pushes an image and gives its manifest. */
    private Descriptor push(Registry client, Reference reference) throws IOException, InterruptedException {
        Descriptor layerDescriptor = descriptor(MediaTypes.OCI_LAYER, layer);
        Descriptor configDescriptor = descriptor(MediaTypes.OCI_CONFIG, config);
        byte[] manifest = """
                {"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s","digest":"%s","size":%d},\
                "layers":[{"mediaType":"%s","digest":"%s","size":%d}]}""".formatted(
                        MediaTypes.OCI_MANIFEST,
                        configDescriptor.mediaType(),
                        configDescriptor.digest(),
                        configDescriptor.size(),
                        layerDescriptor.mediaType(),
                        layerDescriptor.digest(),
                        layerDescriptor.size())
                .getBytes(StandardCharsets.UTF_8);
        Descriptor descriptor = descriptor(MediaTypes.OCI_MANIFEST, manifest);
        client.push(CONTEXT, reference, layerDescriptor, false, () -> new ByteArrayInputStream(layer));
        client.push(CONTEXT, reference, configDescriptor, false, () -> new ByteArrayInputStream(config));
        client.push(CONTEXT, reference, descriptor, true, () -> new ByteArrayInputStream(manifest));
        return descriptor;
    }

    private void roundTrip(Registry client, Reference reference) throws IOException, InterruptedException {
        Descriptor pushed = push(client, reference);
        assertThat(client.resolve(CONTEXT, reference)).isEqualTo(pushed);
        Descriptor layerDescriptor = descriptor(MediaTypes.OCI_LAYER, layer);
        try (InputStream in = client.fetch(CONTEXT, reference, layerDescriptor, List.of(), 0)) {
            assertThat(Digest.sha256(in.readAllBytes())).isEqualTo(layerDescriptor.digest());
        }
    }

    @Test
    void pushedImageIsResolvedAndFetched() throws Exception {
        try (RegistryProcess registry = RegistryProcess.start(folder, false, Access.EVERYBODY);
                Registry client = client(Credentials.NONE)) {
            roundTrip(client, Reference.parse(registry.host() + "/team/app:v1"));
        }
    }

    @Test
    void whatIsThereIsNotPushedAgain() throws Exception {
        try (RegistryProcess registry = RegistryProcess.start(folder, false, Access.EVERYBODY);
                Registry client = client(Credentials.NONE)) {
            Reference reference = Reference.parse(registry.host() + "/app:v1");
            push(client, reference);
            assertThat(client.push(
                            CONTEXT,
                            reference,
                            descriptor(MediaTypes.OCI_LAYER, layer),
                            false,
                            InputStream::nullInputStream))
                    .isFalse();
        }
    }

    @Test
    void fetchFromTheMiddleAsksForARange() throws Exception {
        try (RegistryProcess registry = RegistryProcess.start(folder, false, Access.EVERYBODY);
                Registry client = client(Credentials.NONE)) {
            Reference reference = Reference.parse(registry.host() + "/app:v1");
            push(client, reference);
            Descriptor descriptor = descriptor(MediaTypes.OCI_LAYER, layer);
            try (InputStream in = client.fetch(CONTEXT, reference, descriptor, List.of(), 2_999_990)) {
                assertThat(in.readAllBytes()).isEqualTo(Arrays.copyOfRange(layer, 2_999_990, 3_000_000));
            }
            assertThat(registry.log()).anyMatch(line -> line.contains(" 206 10 "));
        }
    }

    @Test
    void severalRangesComeInOneAnswer() throws Exception {
        try (RegistryProcess registry = RegistryProcess.start(folder, false, Access.EVERYBODY);
                Registry client = client(Credentials.NONE)) {
            Reference reference = Reference.parse(registry.host() + "/app:v1");
            push(client, reference);
            List<ByteRange> ranges = new ArrayList<>();
            for (int i = 0; i < 30; i++) {
                ranges.add(new ByteRange(i * 100_000L, i * 100_000L + 10_000 + i));
            }
            List<ByteRange> taken = new ArrayList<>();
            client.fetchRanges(CONTEXT, reference, descriptor(MediaTypes.OCI_LAYER, layer), ranges, (range, in) -> {
                assertThat(in.readAllBytes())
                        .isEqualTo(Arrays.copyOfRange(layer, (int) range.begin(), (int) range.end()));
                taken.add(range);
            });
            assertThat(taken).isEqualTo(ranges);
            assertThat(registry.log())
                    .filteredOn(line -> line.contains("\"GET /v2/app/blobs/") && line.contains("\" 206 "))
                    .hasSize(1);
        }
    }

    @Test
    void absentTagAndBlobAreNotFound() throws Exception {
        try (RegistryProcess registry = RegistryProcess.start(folder, false, Access.EVERYBODY);
                Registry client = client(Credentials.NONE)) {
            Reference reference = Reference.parse(registry.host() + "/app:v1");
            assertThatThrownBy(() -> client.resolve(CONTEXT, reference))
                    .isInstanceOf(NotFoundException.class)
                    .hasMessageContaining(reference.toString());
            Descriptor absent = descriptor(MediaTypes.OCI_LAYER, layer);
            assertThatThrownBy(() -> client.fetch(CONTEXT, reference, absent, List.of(), 0))
                    .isInstanceOf(NotFoundException.class)
                    .hasMessageContaining(absent.digest().toString());
        }
    }

    @Test
    void tlsNeedsTheAuthorityInHostsToml() throws Exception {
        try (RegistryProcess registry = RegistryProcess.start(folder, true, Access.EVERYBODY);
                Registry client = client(Credentials.NONE)) {
            Reference reference = Reference.parse(registry.host() + "/app:v1");
            hosts(registry.host(), "server = \"%s\"".formatted(registry.url()));
            assertThatThrownBy(() -> client.resolve(CONTEXT, reference))
                    .isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("certificat");
            hosts(registry.host(), "server = \"%s\"\nca = \"%s\"".formatted(registry.url(), registry.certificate()));
            roundTrip(client, reference);
            hosts(registry.host(), "server = \"%s\"\nskip_verify = true".formatted(registry.url()));
            assertThat(client.resolve(CONTEXT, reference).mediaType()).isEqualTo(MediaTypes.OCI_MANIFEST);
        }
    }

    @Test
    void passwordOpensARegistryThatWantsOne() throws Exception {
        try (RegistryProcess registry =
                RegistryProcess.start(folder, false, Access.password(folder, "ann", "pass:1"))) {
            Reference reference = Reference.parse(registry.host() + "/app:v1");
            try (Registry client = client(host -> Optional.of(new Credential("ann", "pass:1")))) {
                roundTrip(client, reference);
            }
            try (Registry client = client(Credentials.NONE)) {
                assertThatThrownBy(() -> client.resolve(CONTEXT, reference))
                        .isInstanceOf(UnauthenticatedException.class)
                        .hasMessageContaining(registry.host());
            }
            try (Registry client = client(host -> Optional.of(new Credential("ann", "wrong")))) {
                assertThatThrownBy(() -> client.resolve(CONTEXT, reference))
                        .isInstanceOf(UnauthenticatedException.class)
                        .hasMessageNotContaining("wrong");
            }
        }
    }

    @Test
    void tokenIsFetchedWithThePasswordForTheScopeThatIsNeeded() throws Exception {
        RegistryProcess.certificate(folder);
        AtomicReference<String> asked = new AtomicReference<>("");
        HttpServer tokens = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        tokens.createContext("/token", exchange -> {
            try (exchange) {
                String query = exchange.getRequestURI().getQuery();
                asked.set(query);
                boolean known = ("Basic "
                                + Base64.getEncoder().encodeToString("ann:secret".getBytes(StandardCharsets.UTF_8)))
                        .equals(exchange.getRequestHeaders().getFirst("Authorization"));
                byte[] answer = "{\"token\": \"%s\"}"
                        .formatted(known ? token(query) : "")
                        .getBytes(StandardCharsets.UTF_8);
                exchange.sendResponseHeaders(known ? 200 : 401, answer.length);
                exchange.getResponseBody().write(answer);
            } catch (GeneralSecurityException e) {
                throw new IOException(e);
            }
        });
        tokens.start();
        String realm = "http://127.0.0.1:%d/token".formatted(tokens.getAddress().getPort());
        try (RegistryProcess registry =
                RegistryProcess.start(folder, false, Access.token(realm, folder.resolve("registry.crt")))) {
            Reference reference = Reference.parse(registry.host() + "/app:v1");
            try (Registry client = client(host -> Optional.of(new Credential("ann", "secret")))) {
                roundTrip(client, reference);
            }
            assertThat(asked.get()).contains("scope=repository:app:pull").contains("service=test");
            try (Registry client = client(host -> Optional.of(new Credential("ann", "wrong")))) {
                assertThatThrownBy(() -> client.resolve(CONTEXT, reference))
                        .isInstanceOf(UnauthenticatedException.class);
            }
        } finally {
            tokens.stop(0);
        }
    }

    /** A token as the specification wants it, that grants whatever was asked for. */
    private String token(String query) throws IOException, GeneralSecurityException {
        String scope = query.replaceFirst(".*scope=repository:", "").replaceFirst("&.*", "");
        String actions = scope.substring(scope.indexOf(':') + 1).replace(",", "\",\"");
        String certificate = pem("registry.crt");
        String header = "{\"typ\":\"JWT\",\"alg\":\"RS256\",\"x5c\":[\"%s\"]}".formatted(certificate);
        long now = Instant.now().getEpochSecond();
        String claims =
                "{\"iss\":\"test\",\"aud\":\"test\",\"exp\":%d,\"nbf\":%d,\"access\":[{\"type\":\"repository\",\"name\":\"%s\",\"actions\":[\"%s\"]}]}"
                        .formatted(now + 100, now - 10, scope.substring(0, scope.indexOf(':')), actions);
        String signed =
                base64(header.getBytes(StandardCharsets.UTF_8)) + "." + base64(claims.getBytes(StandardCharsets.UTF_8));
        PrivateKey key = KeyFactory.getInstance("RSA")
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem("registry.key"))));
        Signature signature = Signature.getInstance("SHA256withRSA");
        signature.initSign(key);
        signature.update(signed.getBytes(StandardCharsets.UTF_8));
        return signed + "." + base64(signature.sign());
    }

    private String pem(String file) throws IOException {
        return Files.readString(folder.resolve(file)).replaceAll("-----[^-]+-----|\\s", "");
    }

    private static String base64(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    @Test
    void mirrorIsAskedFirstAndTheServerWhereItFails() throws Exception {
        Path other = Files.createDirectories(folder.resolve("mirror"));
        try (RegistryProcess mirror = RegistryProcess.start(other, false, Access.EVERYBODY);
                Registry client = client(Credentials.NONE)) {
            Reference pushed = Reference.parse(mirror.host() + "/app:v1");
            Descriptor manifest = push(client, pushed);
            Reference reference = Reference.parse("registry.invalid/app:v1");
            hosts("registry.invalid", """
                    server = "%s"
                    [host."http://127.0.0.1:1"]
                    capabilities = ["pull", "resolve"]
                    """.formatted(mirror.url()));
            assertThat(client.resolve(CONTEXT, reference)).isEqualTo(manifest);
            hosts("registry.invalid", "server = \"http://127.0.0.1:1\"\n[host.\"%s\"]".formatted(mirror.url()));
            try (InputStream in =
                    client.fetch(CONTEXT, reference, descriptor(MediaTypes.OCI_LAYER, layer), List.of(), 0)) {
                assertThat(in.readAllBytes()).isEqualTo(layer);
            }
            assertThat(mirror.log()).anyMatch(line -> line.contains("ns=registry.invalid"));
        }
    }

    @Test
    void foreignLayerComesFromItsAddress() throws Exception {
        try (RegistryProcess registry = RegistryProcess.start(folder, false, Access.EVERYBODY);
                Registry client = client(Credentials.NONE)) {
            Reference pushed = Reference.parse(registry.host() + "/app:v1");
            push(client, pushed);
            Descriptor descriptor = descriptor(MediaTypes.OCI_LAYER, layer);
            URI address = URI.create(registry.url() + "/v2/app/blobs/" + descriptor.digest());
            Reference elsewhere = Reference.parse(registry.host() + "/other:v1");
            try (InputStream in = client.fetch(CONTEXT, elsewhere, descriptor, List.of(address), 0)) {
                assertThat(in.readAllBytes()).isEqualTo(layer);
            }
        }
    }
}
