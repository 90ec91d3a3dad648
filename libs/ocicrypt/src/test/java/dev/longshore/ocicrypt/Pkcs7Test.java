package dev.longshore.ocicrypt;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class Pkcs7Test {

    private static final byte[] BY_SKOPEO = Base64.getMimeDecoder().decode(Fixtures.file("by-skopeo.pkcs7"));

    @Test
    void whatSkopeoHasWrappedIsOpened() {
        assertThat(Pkcs7.decrypt(BY_SKOPEO, Fixtures.certificate(), Fixtures.privateKey("rsa.pem")))
                .hasValueSatisfying(key -> assertThat(new String(key, UTF_8)).contains("\"symkey\":\""));
    }

    @Test
    void whatIsWrappedIsOpenedByEachOfItsReaders() throws Exception {
        byte[] wrapped = Pkcs7.encrypt("key".getBytes(UTF_8), List.of(Fixtures.certificate(), Fixtures.certificate()));
        assertThat(Pkcs7.decrypt(wrapped, Fixtures.certificate(), Fixtures.privateKey("rsa.pem")))
                .hasValueSatisfying(key -> assertThat(key).asString().isEqualTo("key"));
    }

    @Test
    void itHasTheSameShapeAsSkopeos() throws Exception {
        byte[] secret = Pkcs7.decrypt(BY_SKOPEO, Fixtures.certificate(), Fixtures.privateKey("rsa.pem"))
                .orElseThrow();
        // But for a NULL that the standard wants where RSA is named.
        String ours = tags(Pkcs7.encrypt(secret, List.of(Fixtures.certificate())));
        assertThat(ours.replace("5(0)", "")).isEqualTo(tags(BY_SKOPEO));
    }

    private static String tags(byte[] der) {
        StringBuilder tags = new StringBuilder();
        for (Der elements = new Der(der); elements.hasMore(); ) {
            Der.Element element = elements.next();
            tags.append(Integer.toHexString(element.tag()))
                    .append('(')
                    .append((element.tag() & 0x20) != 0 ? tags(element.content()) : element.content().length)
                    .append(')');
        }
        return tags.toString();
    }

    @Test
    void anotherKeyOpensNothing() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        KeyPair other = generator.generateKeyPair();
        assertThat(Pkcs7.decrypt(BY_SKOPEO, Fixtures.certificate(), other.getPrivate()))
                .isEmpty();
        assertThat(Pkcs7.decrypt(BY_SKOPEO, Fixtures.certificate(), Fixtures.privateKey("ec.pem")))
                .isEmpty();
    }

    @Test
    void everyByteCountsThatIsNotOnlyForm() {
        Optional<byte[]> whole = Pkcs7.decrypt(BY_SKOPEO, Fixtures.certificate(), Fixtures.privateKey("rsa.pem"));
        for (int i = 0; i < BY_SKOPEO.length; i++) {
            byte[] changed = BY_SKOPEO.clone();
            changed[i] ^= 1;
            Optional<byte[]> opened;
            try {
                opened = Pkcs7.decrypt(changed, Fixtures.certificate(), Fixtures.privateKey("rsa.pem"));
            } catch (InvalidArgumentException e) {
                continue;
            }
            // Versions and names of algorithms that say nothing may differ; nothing else may come out of it.
            opened.ifPresent(key -> assertThat(key).isEqualTo(whole.orElseThrow()));
        }
        for (int length = 0; length < BY_SKOPEO.length; length++) {
            byte[] cut = java.util.Arrays.copyOf(BY_SKOPEO, length);
            assertThatThrownBy(() -> Pkcs7.decrypt(cut, Fixtures.certificate(), Fixtures.privateKey("rsa.pem")))
                    .isInstanceOf(InvalidArgumentException.class);
        }
    }
}
