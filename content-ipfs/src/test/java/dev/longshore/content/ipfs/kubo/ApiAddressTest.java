package dev.longshore.content.ipfs.kubo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ApiAddressTest {

    @ParameterizedTest
    @CsvSource({
        "/ip4/127.0.0.1/tcp/5001, http://127.0.0.1:5001",
        "/ip4/127.0.0.1/tcp/5001/http, http://127.0.0.1:5001",
        "/ip6/::1/tcp/5001, http://[::1]:5001",
        "/dns4/node.example/tcp/443/https, https://node.example:443",
        "/dns/localhost/tcp/65535/, http://localhost:65535"
    })
    void multiaddressOverTcpIsReachedByHttp(String text, String uri) {
        assertThat(ApiAddress.parse(text).uri()).hasToString(uri);
        assertThat(ApiAddress.parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "127.0.0.1:5001",
                "http://127.0.0.1:5001",
                "/ip4/127.0.0.1/udp/5001",
                "/ip4/127.0.0.1/tcp/0",
                "/ip4/127.0.0.1/tcp/65536",
                "/ip4/::1/tcp/5001",
                "/ip6/127.0.0.1/tcp/5001",
                "/ip4/127.0.0.1/tcp/5001/ws",
                "/unix/run/ipfs.sock"
            })
    void otherFormsAreRefusedWithAnExample(String text) {
        assertThatThrownBy(() -> ApiAddress.parse(text))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("no address of an IPFS node's API");
    }
}
