package dev.longshore.sdk.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonReaderTest {

    private static JsonReader reader(String json) throws IOException {
        return new JsonReader(new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)), 20, "the list of ships");
    }

    @Test
    void aDocumentIsReadInItsOrder() throws IOException {
        try (JsonReader json =
                reader("{\"a\":\"b\",\"n\":-5,\"x\":[{}],\"l\":[{\"y\":\"AP8=\"},{}],\"no\":null,\"z\":null}")) {
            json.beginObject();
            assertThat(json.nextKey()).contains("a");
            assertThat(json.string()).isEqualTo("b");
            assertThat(json.nextKey()).contains("n");
            assertThat(json.number()).isEqualTo(-5);
            assertThat(json.nextKey()).contains("x");
            json.skip();
            assertThat(json.nextKey()).contains("l");
            assertThat(json.beginList()).isTrue();
            assertThat(json.nextObject()).isTrue();
            assertThat(json.nextKey()).contains("y");
            assertThat(json.base64()).containsExactly(0, 0xff);
            assertThat(json.nextKey()).isEmpty();
            assertThat(json.nextObject()).isTrue();
            assertThat(json.nextKey()).isEmpty();
            assertThat(json.nextObject()).isFalse();
            assertThat(json.nextKey()).contains("no");
            assertThat(json.beginList()).isFalse();
            assertThat(json.nextKey()).contains("z");
            assertThat(json.beginOptionalObject()).isFalse();
            assertThat(json.nextKey()).isEmpty();
            json.end();
        }
    }

    @Test
    void whatIsOfAnotherKindNamesTheDocumentAndTheByte() throws IOException {
        try (JsonReader json = reader("{\"a\":5}")) {
            json.beginObject();
            assertThat(json.nextKey()).contains("a");
            assertThatThrownBy(json::string)
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("the list of ships has VALUE_NUMBER_INT at byte")
                    .hasMessageContaining("where a string should be");
        }
    }

    @Test
    void aLongStringIsRefused() throws IOException {
        try (JsonReader json = reader("{\"a\":\"" + "b".repeat(21) + "\"}")) {
            json.beginObject();
            assertThat(json.nextKey()).contains("a");
            assertThatThrownBy(json::string).isInstanceOf(InvalidArgumentException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"})
    void onlyUtf8IsRead(String charset) throws IOException {
        byte[] bytes = "{\"a\":1}".getBytes(Charset.forName(charset));
        try (JsonReader json = new JsonReader(new ByteArrayInputStream(bytes), 20, "the list of ships")) {
            assertThatThrownBy(() -> {
                        json.beginObject();
                        json.skip();
                    })
                    .isInstanceOf(InvalidArgumentException.class);
        }
    }

    @Test
    void aSourceThatFailsIsNoBadDocument() {
        InputStream broken = new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("the line is cut");
            }

            @Override
            public int read(byte[] buffer, int offset, int length) throws IOException {
                return read();
            }
        };
        assertThatThrownBy(() -> new JsonReader(broken, 20, "the list of ships").beginObject())
                .isExactlyInstanceOf(IOException.class)
                .hasMessage("the line is cut");
    }
}
