package dev.longshore.sdk.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
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

    @ParameterizedTest
    @ValueSource(strings = {"nam", "name2", "Name", "nbme", "", "x", "n\u00e4me", "chunkDigestOf"})
    void keysAreFoundByTheirNumbersAndOthersAreNone(String other) throws IOException {
        JsonReader.Keys keys = JsonReader.Keys.of(List.of("name", "chunkDigest", "a", "chunkDigests"));
        try (JsonReader json =
                reader("{\"chunkDigests\":3,\"%s\":[1],\"name\":0,\"\\u0061\":2,\"chunkDigest\":1}".formatted(other))) {
            json.beginObject();
            assertThat(json.nextKey(keys)).isEqualTo(3);
            assertThat(json.number()).isEqualTo(3);
            assertThat(json.nextKey(keys)).isEqualTo(JsonReader.OTHER);
            json.skip();
            for (int key : List.of(0, 2, 1)) {
                assertThat(json.nextKey(keys)).isEqualTo(key);
                assertThat(json.number()).isEqualTo(key);
            }
            assertThat(json.nextKey(keys)).isEqualTo(JsonReader.END);
            json.end();
        }
    }

    @Test
    void anObjectThatBreaksOffHasNoFurtherKey() throws IOException {
        JsonReader.Keys keys = JsonReader.Keys.of(List.of("a"));
        try (JsonReader json = reader("{\"a\":1")) {
            json.beginObject();
            assertThat(json.nextKey(keys)).isZero();
            assertThat(json.number()).isOne();
            assertThatThrownBy(() -> json.nextKey(keys)).isInstanceOf(InvalidArgumentException.class);
        }
    }

    @Test
    void stringsThatFollowOneAnotherAreToldApart() throws IOException {
        List<String> strings =
                List.of("a", "a", "b", "ba", "b", "", "", "b", "\u00e4", "a".repeat(200), "a".repeat(200), "a");
        String list = strings.stream().map("{\"s\":\"%s\"}"::formatted).collect(Collectors.joining(",", "[", "]"));
        byte[] bytes = list.getBytes(StandardCharsets.UTF_8);
        try (JsonReader json = new JsonReader(new ByteArrayInputStream(bytes), 1000, "the list of ships")) {
            assertThat(json.beginList()).isTrue();
            for (String string : strings) {
                assertThat(json.nextObject()).isTrue();
                assertThat(json.nextKey()).contains("s");
                assertThat(json.string()).isEqualTo(string);
                assertThat(json.nextKey()).isEmpty();
            }
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
