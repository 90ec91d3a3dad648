package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RuncTest {

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"level\":\"error\",\"msg\":\"one\",\"time\":\"t\"} | one",
                "{\"msg\":\"\\\"quoted\\\" \\u00e4\",\"level\":\"error\"} | \"quoted\" ä",
                "{\"level\":\"fatal\",\"msg\":\"worst\"} | worst",
                "{\"level\":\"warning\",\"msg\":\"mere\"} | ``",
                "{\"level\":\"error\",\"fields\":{\"level\":\"info\",\"msg\":\"inner\"},\"msg\":\"outer\"} | outer",
                "{\"level\":\"error\",\"msg\":\"cut sho | ``",
                "runtime/cgo: panic | ``",
                "[] | ``",
            })
    void lastErrorIsFoundInALine(String line, String message) throws IOException {
        Path log = Files.writeString(folder.resolve("log"), line + "\n");
        assertThat(Runc.lastError(log)).isEqualTo(message);
    }

    @Test
    void lastErrorIsThatOfTheLastLineThatHasOne() throws IOException {
        Path log = Files.writeString(folder.resolve("log"), """
                {"level":"error","msg":"first"}
                {"level":"error","msg":"last"}
                {"level":"debug","msg":"later"}
                {"level":"err""");
        assertThat(Runc.lastError(log)).isEqualTo("last");
    }

    @Test
    void bytesThatAreNoTextHideNoError() throws IOException {
        Path log = folder.resolve("log");
        Files.write(log, new byte[] {(byte) 0xff, (byte) 0xfe, '\n'});
        Files.writeString(
                log,
                Files.readString(log, StandardCharsets.ISO_8859_1) + "{\"level\":\"error\",\"msg\":\"told\"}\n",
                StandardCharsets.ISO_8859_1);
        assertThat(Runc.lastError(log)).isEqualTo("told");
    }

    @Test
    void lastErrorOfNoLogIsEmpty() {
        assertThat(Runc.lastError(folder.resolve("none"))).isEmpty();
    }
}
