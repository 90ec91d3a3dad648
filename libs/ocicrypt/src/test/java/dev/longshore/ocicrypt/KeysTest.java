package dev.longshore.ocicrypt;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.RSAPrivateKey;
import java.util.Base64;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class KeysTest {

    @ParameterizedTest
    @ValueSource(strings = {"rsa-pkcs1.pem", "rsa-pkcs1-aes128.pem", "rsa-pkcs1-aes256.pem", "rsa-pkcs1-des3.pem"})
    void aKeyInAnOldFormIsTheSame(String file) {
        assertThat(Fixtures.privateKey(file)).isEqualTo(Fixtures.privateKey("rsa.pem"));
    }

    @Test
    void aKeyWithAPasswordIsTheSame() {
        assertThat(Fixtures.privateKey("rsa-pkcs8-aes256.pem")).isEqualTo(Fixtures.privateKey("rsa.pem"));
    }

    @Test
    void aCipherThatIsUnknownIsNoWrongPassword() {
        assertThatThrownBy(() -> Fixtures.privateKey("rsa-pkcs8-des3.pem"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("openssl pkcs8 -topk8");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ec-sec1.pem", "ec-sec1-aes192.pem"})
    void aKeyOfACurveInAnOldFormIsTheSame(String file) {
        assertThat(((ECPrivateKey) Fixtures.privateKey(file)).getS())
                .isEqualTo(((ECPrivateKey) Fixtures.privateKey("ec.pem")).getS());
    }

    @Test
    void derIsAKeyAsWell() {
        byte[] der = Base64.getMimeDecoder().decode(Fixtures.file("rsa.der.base64"));
        assertThat(Keys.privateKey(der, Fixtures.NONE)).contains(Fixtures.privateKey("rsa.pem"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"rsa.pem", "ec.pem"})
    void aJwkOpensWhatWasWrappedForItsPublicKey(String file) throws Exception {
        byte[] wrapped = Jwe.encrypt(
                "key".getBytes(US_ASCII), java.util.List.of(Fixtures.publicKey(file.replace(".pem", ".pub.pem"))));
        byte[] jwk = ("\n " + Fixtures.jwk(file)).getBytes(US_ASCII);
        assertThat(Jwe.decrypt(wrapped, Keys.privateKey(jwk, Fixtures.NONE).orElseThrow()))
                .hasValueSatisfying(opened -> assertThat(opened).asString().isEqualTo("key"));
    }

    @Test
    void aJwkWithItsSecretIsNoPublicKeyAndTheOtherWayRound() {
        byte[] secret = Fixtures.jwk("rsa.pem").getBytes(US_ASCII);
        assertThat(Keys.publicKey(secret)).isEmpty();
        String open = Fixtures.jwk("rsa.pem").replaceAll(",\"d\":\"[^\"]*\"", "");
        assertThat(Keys.privateKey(open.getBytes(US_ASCII), Fixtures.NONE)).isEmpty();
        assertThat(Keys.publicKey(open.getBytes(US_ASCII))).contains(Fixtures.publicKey("rsa.pub.pem"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"rsa-pkcs8-aes256.pem", "rsa-pkcs1-aes256.pem", "rsa-pkcs1-des3.pem", "ec-sec1-aes192.pem"})
    void aMissingPasswordIsToldFromAWrongOne(String file) {
        assertThatThrownBy(() -> Keys.privateKey(Fixtures.file(file), Fixtures.NONE))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("missing password");
        assertThatThrownBy(() -> Keys.privateKey(Fixtures.file(file), "Secret".getBytes(US_ASCII))
                        .orElseThrow(() -> new InvalidArgumentException("wrong password: not a key")))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("wrong password");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "{}",
                "{\"kty\":\"RSA\",\"d\":\"\",\"n\":\"\"}",
                "{\"kty\":\"EC\",\"crv\":\"P-1\",\"d\":\"AA\"}",
                "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
                "-----BEGIN EC PRIVATE KEY-----\noAMG\n-----END EC PRIVATE KEY-----",
                "text"
            })
    void whatIsNoKeyIsNone(String text) {
        assertThat(Keys.privateKey(text.getBytes(US_ASCII), Fixtures.NONE)).isEmpty();
        assertThat(Keys.publicKey(text.getBytes(US_ASCII))).isEmpty();
        assertThat(Keys.certificate(text.getBytes(US_ASCII))).isEmpty();
    }

    @Test
    void aCertificateIsReadWithAndWithoutItsArmor() throws Exception {
        assertThat(Keys.certificate(Fixtures.certificate().getEncoded())).contains(Fixtures.certificate());
        assertThat(Fixtures.privateKey("rsa.pem")).isInstanceOf(RSAPrivateKey.class);
    }
}
