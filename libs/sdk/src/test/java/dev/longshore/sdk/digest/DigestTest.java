package dev.longshore.sdk.digest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DigestTest {

    private static final String EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    @Test
    void sha256OfNothingIsTheKnownOne() {
        assertThat(Digest.sha256(new byte[0])).hasToString(EMPTY);
    }

    @Test
    void parseGivesBackWhatToStringSays() {
        assertThat(Digest.parse(EMPTY)).hasToString(EMPTY);
        String sha512 = "sha512:" + "ab".repeat(64);
        assertThat(Digest.parse(sha512)).hasToString(sha512);
    }

    @Test
    void itsBytesAreWhatWasComputed() {
        byte[] sum = Digest.digester("sha512").digest(new byte[] {1, 2, 3});
        assertThat(new Digest("sha512", HexFormat.of().formatHex(sum)).bytes()).isEqualTo(sum);
    }

    @Test
    void digesterComputesTheAlgorithmOfTheDigest() {
        var digester = Digest.parse("sha512:" + "00".repeat(64)).digester();
        digester.update("x".getBytes(StandardCharsets.UTF_8));
        assertThat(Digest.of("sha512", digester).hex()).hasSize(128);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "sha256",
                "sha256:",
                "sha256:abc",
                ":abc",
                "md5:d41d8cd98f00b204e9800998ecf8427e",
                "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
                "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8555",
                "sha256:../../../../etc/passwd000000000000000000000000000000000000000000000"
            })
    void whatIsNoDigestIsInvalid(String text) {
        assertThatThrownBy(() -> Digest.parse(text)).isInstanceOf(InvalidArgumentException.class);
    }
}
