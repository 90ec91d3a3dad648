package dev.longshore.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.registry.MultipartRanges.Part;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class MultipartRangesTest {

    private static final String TYPE = "multipart/byteranges; boundary=b";

    private static MultipartRanges open(String type, String body) throws IOException {
        return MultipartRanges.of(new ByteArrayInputStream(body.getBytes(StandardCharsets.ISO_8859_1)), type, 1000);
    }

    /** Range and content of each part. */
    private static List<String> read(String type, String body) throws IOException {
        MultipartRanges parts = open(type, body);
        List<String> read = new ArrayList<>();
        for (Optional<Part> part = parts.next(); part.isPresent(); part = parts.next()) {
            read.add(
                    part.get().range() + "=" + new String(part.get().in().readAllBytes(), StandardCharsets.ISO_8859_1));
        }
        assertThat(parts.next()).isEmpty();
        return read;
    }

    private static void refused(String body, String why) {
        assertThatThrownBy(() -> read(TYPE, body))
                .isInstanceOf(RangeFormatException.class)
                .hasMessageContaining(why);
    }

    private static String lines(String text) {
        return text.replace("\n", "\r\n");
    }

    @Test
    void partsAreReadAsGoWritesThem() throws IOException {
        assertThat(read("multipart/byteranges; boundary=0c1d", lines("""
                        --0c1d
                        Content-Range: bytes 0-3/1000
                        Content-Type: application/octet-stream

                        abcd
                        --0c1d
                        Content-Range: bytes 10-11/1000
                        Content-Type: x/y

                        xy
                        --0c1d--
                        """))).containsExactly("0-3=abcd", "10-11=xy");
    }

    @Test
    void partsAreReadAsNginxWritesThem() throws IOException {
        assertThat(read("multipart/byteranges; boundary=00000000000000000023", lines("""

                        --00000000000000000023
                        Content-Type: text/plain
                        Content-Range: bytes 5-5/1000

                        z
                        --00000000000000000023--
                        """)))
                .containsExactly("5-5=z");
    }

    @Test
    void boundaryThatIsInTheDataIsData() throws IOException {
        assertThat(read(TYPE, "--b\r\ncontent-range:bytes 0-6/1000\r\n\r\n\r\n--b\r\n\r\n--b--"))
                .containsExactly("0-6=\r\n--b\r\n");
    }

    @Test
    void whatIsNotReadOfAPartIsPassedOver() throws IOException {
        MultipartRanges parts = open(
                TYPE,
                "--b\r\nContent-Range: bytes 0-3/1000\r\n\r\nabcd\r\n--b\r\nContent-Range: bytes 7-7/1000\r\n\r\nx\r\n--b--");
        assertThat(parts.next().orElseThrow().in().read()).isEqualTo('a');
        assertThat(parts.next().orElseThrow().in().readAllBytes()).containsExactly('x');
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "multipart/byteranges",
                "multipart/byteranges; boundary=",
                "multipart/byteranges; boundary=\"\"",
                "multipart/byteranges; boundary=\"a\r\n\"",
                "multipart/byteranges; boundary=01234567890123456789012345678901234567890123456789012345678901234567890",
                "text/html; boundary=b"
            })
    void typeWithoutABoundaryIsRefused(String type) {
        assertThatThrownBy(() -> open(type, "")).isInstanceOf(RangeFormatException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "multipart/byteranges; boundary=\"b\"",
                "Multipart/ByteRanges;Boundary=b; charset=x",
                "multipart/byteranges; charset=x; boundary=b"
            })
    void boundaryIsFoundHoweverItIsWritten(String type) throws IOException {
        assertThat(read(type, "--b\r\nContent-Range: bytes 0-0/1000\r\n\r\na\r\n--b--\r\n"))
                .containsExactly("0-0=a");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bytes 5-4/1000",
                "bytes 0-1000/1000",
                "bytes 0-4/999",
                "bytes 0-4/*",
                "bytes 99999999999999999999-99999999999999999999/1000",
                "lines 0-4/1000",
                ""
            })
    void partOfSomethingElseIsRefused(String range) {
        refused("--b\r\nContent-Range: " + range + "\r\n\r\naaaaa\r\n--b--\r\n", "");
    }

    @Test
    void partThatGoesOnBehindItsEndIsRefused() {
        refused("--b\r\nContent-Range: bytes 0-0/1000\r\n\r\nab\r\n--b--\r\n", "goes on behind its end");
        refused("--b\r\nContent-Range: bytes 0-0/1000\r\n\r\na\r\n--c--\r\n", "not followed by the boundary");
    }

    @Test
    void whatHasNoEndIsLeftAtALimit() {
        refused("x".repeat(100_000), "a line between two parts");
        refused("x\r\n".repeat(100_000), "bytes between two parts");
        refused("--b\r\n" + "X-Header: 1\r\n".repeat(100_000), "bytes between two parts");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "--b",
                "--b\r\nContent-Range: bytes 0-3/1000",
                "--b\r\nContent-Range: bytes 0-3/1000\r\n\r\nab",
                "--b\r\nContent-Range: bytes 0-3/1000\r\n\r\nabcd",
                "--b\r\nContent-Range: bytes 0-3/1000\r\n\r\nabcd\r\n--b\r\n"
            })
    void bodyThatBreaksOffIsNoAnswerOfAnotherForm(String body) {
        assertThatThrownBy(() -> read(TYPE, body)).isInstanceOf(EOFException.class);
    }
}
