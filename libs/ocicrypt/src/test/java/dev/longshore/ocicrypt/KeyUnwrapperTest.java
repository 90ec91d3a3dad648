package dev.longshore.ocicrypt;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys in folders, and layers that are to be read with them. */
final class KeyUnwrapperTest {

    private static final LayerSeal SEAL = new LayerSeal(new byte[32], new byte[0]);

    @TempDir
    private Path folder;

    private final LayerKey key = LayerKey.random("sha256:" + "0".repeat(64));

    private Path write(String name) throws IOException {
        return Files.write(folder.resolve(name), Fixtures.file(name));
    }

    private Map<String, String> wrapped(String... recipients) throws IOException {
        Recipients readers = new Recipients(KeyProviders.NONE);
        for (String recipient : recipients) {
            readers.add(recipient);
        }
        return readers.wrap(key, SEAL);
    }

    private KeyUnwrapper with(String... files) throws IOException {
        DecryptionKeys keys = new DecryptionKeys();
        for (String file : files) {
            keys.addFile(write(file), Fixtures.NONE);
        }
        return new KeyUnwrapper(keys, KeyProviders.NONE);
    }

    @Test
    void whatIsWrappedForSomebodyIsOpenedWithAllThatBelongsToIt() throws IOException {
        Map<String, String> annotations = wrapped("jwe:" + write("rsa.pub.pem"));
        KeyUnwrapper.Opened opened = with("rsa.pem").unwrap(annotations);
        assertThat(opened.key()).isEqualTo(key);
        assertThat(opened.seal().hmac()).isEqualTo(SEAL.hmac());
        assertThat(with("cert.pem", "rsa.pem")
                        .unwrap(wrapped("pkcs7:" + write("cert.pem")))
                        .key())
                .isEqualTo(key);
    }

    @Test
    void aRecipientMoreLeavesThoseThatThereWere() throws IOException {
        Map<String, String> annotations = wrapped("jwe:" + write("rsa.pub.pem"));
        Recipients more = new Recipients(KeyProviders.NONE);
        more.add("jwe:" + write("ec.pub.pem"));
        more.add("pkcs7:" + write("cert.pem"));
        Map<String, String> added = more.add(annotations, key);
        assertThat(added.get(Annotations.KEYS + "jwe")).startsWith(annotations.get(Annotations.KEYS + "jwe") + ",");
        assertThat(added).containsEntry(Annotations.PUBLIC_OPTIONS, annotations.get(Annotations.PUBLIC_OPTIONS));
        assertThat(with("rsa.pem").unwrap(added).key()).isEqualTo(key);
        assertThat(with("ec.pem").unwrap(added).key()).isEqualTo(key);
        Map<String, String> only = new TreeMap<>(added);
        only.remove(Annotations.KEYS + "jwe");
        assertThat(with("rsa.pem", "cert.pem").unwrap(only).key()).isEqualTo(key);
    }

    @Test
    void aKeyThatDoesNotFitIsSaidWithWhatWouldHave() throws IOException {
        Map<String, String> annotations = wrapped("jwe:" + write("ec.pub.pem"));
        assertThatThrownBy(() -> with("rsa.pem").unwrap(annotations))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessage("no key fits the layer, whose key is wrapped as jwe");
        assertThatThrownBy(() -> with().unwrap(annotations))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("there is no private key at all");
    }

    @Test
    void aKeyThatCannotBeUsedIsNoHindranceToOneThatFits() throws IOException {
        Map<String, String> annotations = wrapped("jwe:" + write("ec.pub.pem"));
        assertThat(with("rsa-pkcs8-aes256.pem", "ec.pem").unwrap(annotations).key())
                .isEqualTo(key);
        assertThatThrownBy(() -> with("rsa-pkcs8-aes256.pem").unwrap(annotations))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("rsa-pkcs8-aes256.pem: missing password");
    }

    @Test
    void pkcs7NeedsTheCertificateAndSaysSo() throws IOException {
        Map<String, String> annotations = wrapped("pkcs7:" + write("cert.pem"));
        assertThatThrownBy(() -> with("rsa.pem").unwrap(annotations)).hasMessageContaining("no certificate");
    }

    @Test
    void aFolderIsReadForWhatIsAKeyInIt() throws IOException {
        Files.writeString(folder.resolve("notes.json"), "{ not json");
        Files.writeString(folder.resolve("README"), "text");
        Map<String, String> annotations = wrapped("jwe:" + write("rsa.pub.pem"));
        write("rsa.pem");
        DecryptionKeys keys = new DecryptionKeys();
        keys.addFolder(folder);
        keys.addFolder(folder.resolve("none"));
        assertThat(new KeyUnwrapper(keys, KeyProviders.NONE).unwrap(annotations).key())
                .isEqualTo(key);
    }

    @Test
    void whatAClientSendsIsTheSameAsWhatIsInFiles() throws IOException {
        DecryptionKeys sent = new DecryptionKeys();
        sent.addFile(write("rsa-pkcs8-aes256.pem"), Fixtures.PASSWORD);
        sent.addFile(write("cert.pem"), Fixtures.NONE);
        DecryptionKeys received = new DecryptionKeys();
        received.add(sent.parameters());
        Map<String, String> annotations = wrapped("pkcs7:" + write("cert.pem"));
        assertThat(new KeyUnwrapper(received, KeyProviders.NONE)
                        .unwrap(annotations)
                        .key())
                .isEqualTo(key);
    }

    @Test
    void aKeyThatIsWrappedTooOftenIsRefused() {
        Map<String, String> annotations = new HashMap<>();
        annotations.put(Annotations.PUBLIC_OPTIONS, SEAL.annotation());
        annotations.put(Annotations.KEYS + "jwe", "e30=,".repeat(1000) + "e30=");
        assertThatThrownBy(() -> with("rsa.pem").unwrap(annotations))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("more than 1000 times");
    }

    @Test
    void aLayerThatDoesNotSayHowItIsEncryptedIsRefused() throws IOException {
        KeyUnwrapper unwrapper = with("rsa.pem");
        assertThatThrownBy(() -> unwrapper.unwrap(Map.of()))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(Annotations.PUBLIC_OPTIONS);
        assertThatThrownBy(() -> unwrapper.unwrap(Map.of(Annotations.PUBLIC_OPTIONS, SEAL.annotation())))
                .hasMessageContaining("no wrapped key");
        assertThatThrownBy(() -> unwrapper.unwrap(
                        Map.of(Annotations.PUBLIC_OPTIONS, options("{\"cipher\":\"ROT13\",\"hmac\":\"\"}"))))
                .hasMessageContaining("\"ROT13\"");
        assertThatThrownBy(() -> unwrapper.unwrap(Map.of(
                        Annotations.PUBLIC_OPTIONS,
                        options("{\"cipher\":\"AES_256_CTR_HMAC_SHA256\",\"hmac\":\"AAAA\"}"))))
                .hasMessageContaining("32 bytes, not 3");
    }

    private static String options(String json) {
        return Base64.getEncoder().encodeToString(json.getBytes(UTF_8));
    }

    @Test
    void aRecipientThatIsNoneIsNamed() {
        Recipients recipients = new Recipients(KeyProviders.NONE);
        assertThatThrownBy(() -> recipients.add("key.pem")).hasMessageContaining("none of jwe:FILE");
        assertThatThrownBy(() -> recipients.add("jwe:" + write("cert.pem"))).hasMessageContaining("no public key");
        assertThatThrownBy(() -> recipients.add("pkcs7:" + write("rsa.pem"))).hasMessageContaining("no X.509");
        assertThatThrownBy(() -> recipients.wrap(key, SEAL)).hasMessageContaining("name a recipient");
    }

    @Test
    void mediaTypesAreOcisAndComeBack() {
        assertThat(Annotations.encrypted("application/vnd.docker.image.rootfs.diff.tar.gzip"))
                .isEqualTo("application/vnd.oci.image.layer.v1.tar+gzip+encrypted");
        assertThat(Annotations.encrypted("application/vnd.oci.image.layer.v1.tar"))
                .isEqualTo("application/vnd.oci.image.layer.v1.tar+encrypted");
        assertThat(Annotations.decrypted("application/vnd.oci.image.layer.v1.tar+zstd+encrypted"))
                .isEqualTo("application/vnd.oci.image.layer.v1.tar+zstd");
        assertThat(Annotations.others(Map.of("a", "b", Annotations.PUBLIC_OPTIONS, "c", Annotations.KEYS + "jwe", "d")))
                .containsOnly(Map.entry("a", "b"));
    }

    @Test
    void aKeyDoesNotShowInText() {
        assertThat(key).hasToString("key of layer sha256:" + "0".repeat(64));
    }
}
