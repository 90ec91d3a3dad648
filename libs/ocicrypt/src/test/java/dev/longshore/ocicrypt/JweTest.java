package dev.longshore.ocicrypt;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.security.PublicKey;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import javax.crypto.Cipher;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class JweTest {

    private static final PublicKey RSA = Fixtures.publicKey("rsa.pub.pem");
    private static final PublicKey EC = Fixtures.publicKey("ec.pub.pem");

    @ParameterizedTest
    @ValueSource(strings = {"rsa.pem", "ec.pem"})
    void eachRecipientOpensIt(String key) throws Exception {
        byte[] wrapped = Jwe.encrypt("key".getBytes(UTF_8), List.of(RSA, EC));
        assertThat(Jwe.decrypt(wrapped, Fixtures.privateKey(key)))
                .hasValueSatisfying(opened -> assertThat(opened).asString().isEqualTo("key"));
    }

    @Test
    void nobodyElseDoes() throws Exception {
        assertThat(Jwe.decrypt(Jwe.encrypt(new byte[1], List.of(EC)), Fixtures.privateKey("rsa.pem")))
                .isEmpty();
        assertThat(Jwe.decrypt(Jwe.encrypt(new byte[1], List.of(RSA)), Fixtures.privateKey("ec.pem")))
                .isEmpty();
    }

    /** RFC 7518, appendix C: the secret is agreed between the keys of Alice and Bob, and so is what is made of it. */
    @Test
    void aKeyIsDerivedAsTheStandardShows() throws Exception {
        byte[] bob = """
                {"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
                 "y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}
                """.getBytes(US_ASCII);
        byte[] secret = Jwe.agree(
                Keys.privateKey(bob, Fixtures.NONE).orElseThrow(),
                Keys.point(java.util.Map.of(
                        "crv", "P-256",
                        "x", "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
                        "y", "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps")));
        byte[] derived = Jwe.derive(secret, "A128GCM", 16, "Alice".getBytes(US_ASCII), "Bob".getBytes(US_ASCII));
        assertThat(Values.encodeUrl(derived)).isEqualTo("VqqN6vgjbSBcIijNcacQGg");
    }

    @Test
    void everyCharacterCounts() throws Exception {
        byte[] wrapped = Jwe.encrypt("key".getBytes(UTF_8), List.of(EC));
        for (int i = 0; i < wrapped.length; i++) {
            byte[] changed = wrapped.clone();
            changed[i] = (byte) (changed[i] == 'A' ? 'B' : 'A');
            Optional<byte[]> opened;
            try {
                opened = Jwe.decrypt(changed, Fixtures.privateKey("ec.pem"));
            } catch (InvalidArgumentException e) {
                continue;
            }
            // The last character of base64 may have bits that are of no byte.
            opened.ifPresent(key -> assertThat(key).asString().isEqualTo("key"));
        }
    }

    @Test
    void anEmptyKeyThatSomebodyHasWrappedIsNone() throws Exception {
        Cipher cipher = Cipher.getInstance("RSA/ECB/OAEPWithSHA-1AndMGF1Padding");
        cipher.init(Cipher.ENCRYPT_MODE, RSA);
        String empty = Values.encodeUrl(cipher.doFinal());
        String jwe = """
                {"protected":"%s","recipients":[{"header":{"alg":"RSA-OAEP"},"encrypted_key":"%s"}],
                 "iv":"AAAAAAAAAAAAAAAA","ciphertext":"","tag":"AAAAAAAAAAAAAAAAAAAAAA"}
                """.formatted(Values.encodeUrl("{\"enc\":\"A256GCM\"}".getBytes(US_ASCII)), empty);
        assertThat(Jwe.decrypt(jwe.getBytes(US_ASCII), Fixtures.privateKey("rsa.pem")))
                .isEmpty();
    }

    @Test
    void aPointThatIsNotOnTheCurveOpensNothing() throws Exception {
        String wrapped = new String(Jwe.encrypt(new byte[1], List.of(EC)), UTF_8);
        String off = wrapped.replaceAll("\"y\":\"[^\"]*\"", "\"y\":\"AQ\"");
        assertThat(off).isNotEqualTo(wrapped);
        assertThat(Jwe.decrypt(off.getBytes(UTF_8), Fixtures.privateKey("ec.pem")))
                .isEmpty();
    }

    @Test
    void tooManyRecipientsAreRefusedBeforeOneIsTried() {
        String jwe = "{\"recipients\":[%s]}".formatted(String.join(",", Collections.nCopies(1001, "{}")));
        assertThatThrownBy(() -> Jwe.decrypt(jwe.getBytes(US_ASCII), Fixtures.privateKey("rsa.pem")))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("1001 recipients");
    }

    @Test
    void bytesAreThoseOfTheUrlAlphabet() {
        assertThat(Values.encodeUrl(HexFormat.of().parseHex("fbff"))).isEqualTo("-_8");
    }
}
