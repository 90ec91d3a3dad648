package dev.longshore.ipfs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CidTest {

    /** As the specifications print it: the empty file. */
    private static final String EMPTY = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    @Test
    void aRawBlockHasTheCidOfItsHash() {
        Cid cid = Cid.of(Codec.RAW, new byte[0]);
        assertThat(cid).hasToString(EMPTY).isEqualTo(Cid.parse(EMPTY));
        assertThat(cid.digest()).contains(Digest.sha256(new byte[0]));
    }

    /** The same hash in the forms of the CID specification's inspector. */
    @Test
    void bothVersionsAreReadAndWritten() {
        Cid v0 = Cid.parse("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n");
        assertThat(v0.version()).isZero();
        assertThat(v0.codec()).isEqualTo(Codec.DAG_PB);
        assertThat(v0).hasToString("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n");
        Cid v1 = Cid.parse("bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
        assertThat(v1.version()).isEqualTo(1);
        assertThat(v1.hash()).isEqualTo(v0.hash());
        assertThat(v1).isNotEqualTo(v0);
        assertThat(Cid.decode(v0.bytes())).isEqualTo(v0);
        assertThat(Cid.decode(v1.bytes())).isEqualTo(v1);
        assertThat(Cid.parse("z" + Bases.base58(v1.bytes()))).isEqualTo(v1);
    }

    /** The examples of RFC 4648 and of the draft of base58. */
    @Test
    void basesAreWrittenAsTheirSpecificationsDo() {
        assertThat(Bases.base32("f".getBytes(StandardCharsets.US_ASCII))).isEqualTo("my");
        assertThat(Bases.base32("foobar".getBytes(StandardCharsets.US_ASCII))).isEqualTo("mzxw6ytboi");
        assertThat(Bases.base58("Hello World!".getBytes(StandardCharsets.US_ASCII)))
                .isEqualTo("2NEpo7TZRRrLZSi2U");
        assertThat(Bases.base58(HexFormat.of().parseHex("0000287fb4cd"))).isEqualTo("11233QC4");
    }

    @Test
    void aBlockMayBeInItsName() {
        byte[] bytes = "small".getBytes(StandardCharsets.US_ASCII);
        byte[] cid = new byte[4 + bytes.length];
        cid[0] = 1;
        cid[1] = 0x55;
        cid[3] = (byte) bytes.length;
        System.arraycopy(bytes, 0, cid, 4, bytes.length);
        Cid inline = Cid.decode(cid);
        assertThat(inline.inlined())
                .hasValueSatisfying(block -> assertThat(block).isEqualTo(bytes));
        assertThat(inline.names(bytes)).isTrue();
        assertThat(inline.digest()).isEmpty();
        assertThat(Cid.parse(inline.toString())).isEqualTo(inline);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "b",
                "Qm",
                "z",
                "Zm9v",
                "f01551220",
                "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk",
                "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykv",
                "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku=",
                "BAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU",
                "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1O"
            })
    void whatIsNoCidIsRefused(String text) {
        assertThatThrownBy(() -> Cid.parse(text))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("no CID");
    }

    @Test
    void aTextWithoutEndIsNotLookedAt() {
        assertThatThrownBy(() -> Cid.parse("z" + "z".repeat(1_000_000)))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("too long");
    }

    @ParameterizedTest
    @CsvSource({
        "01551220, hash", // no hash behind its length
        "0155122100, hash",
        "01551e20, hash function 0x1e", // blake3
        "01701101, hash function 0x11", // sha1
        "0185011200, codec 0x85", // dag-jose
        "01711220, codec 0x71", // dag-cbor
        "0271122000, version 2",
        "017012140000000000000000000000000000000000000000, hash", // cut to 20 bytes
        "8100551220, shortest form",
        "01d500, shortest form",
        "ffffffffffffffffffff01, shortest form",
        "'', number"
    })
    void unknownCodecsHashesAndFormsAreRefused(String hex, String told) {
        assertThatThrownBy(() -> Cid.decode(HexFormat.of().parseHex(hex)))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(told);
    }

    @Test
    void anIdentityHasALimit() {
        byte[] cid = new byte[5 + 129];
        cid[0] = 1;
        cid[1] = 0x55;
        cid[3] = (byte) 0x81;
        cid[4] = 1;
        assertThatThrownBy(() -> Cid.decode(cid)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void otherBytesAreRefusedByTheNameOfTheBlock() {
        Cid cid = Cid.parse(EMPTY);
        assertThatThrownBy(() -> cid.verify(new byte[1], "gateway https://g.example"))
                .isInstanceOf(WrongBlockException.class)
                .hasMessageContaining(EMPTY)
                .hasMessageContaining("https://g.example");
        assertThatThrownBy(() -> cid.verify(new byte[BlockSource.MAX_BLOCK + 1], "g"))
                .isInstanceOf(WrongBlockException.class)
                .hasMessageContaining("2097153 bytes");
    }
}
