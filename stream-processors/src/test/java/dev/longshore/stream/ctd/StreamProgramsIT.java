package dev.longshore.stream.ctd;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.github.luben.zstd.ZstdOutputStreamNoFinalizer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The programs, as processes: what is wrong with their input is an exit status and a reason, and takes neither time nor memory. */
final class StreamProgramsIT {

    private static final String DECODER = "dev.longshore.stream.ctd.Main";
    private static final long BOMB = 1L << 30;

    @TempDir
    private static Path folder;

    private static Path layer;
    private static Path payload;
    private static Path keys;

    @BeforeAll
    static void sample() throws IOException {
        Sample.write(folder);
        layer = folder.resolve("layer");
        payload = folder.resolve("payload");
        keys = folder.resolve("keys");
    }

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Ended(int exit, byte[] out, String err) {

        void refused(String reason) {
            assertThat(err).contains(reason);
            assertThat(exit).isEqualTo(1);
        }
    }

    /** Runs one with bash, which opens descriptor 3; what it prints goes through {@code filter}. */
    private static Ended run(String main, Path input, String descriptor3, String filter, String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                "bash",
                "-o",
                "pipefail",
                "-c",
                "\"${@:3}\" <\"$1\" 3<\"$2\" | " + filter,
                "bash",
                input.toString(),
                descriptor3,
                ProcessHandle.current().info().command().orElseThrow(),
                "-Xmx64m",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                System.getProperty("java.class.path"),
                main));
        command.addAll(List.of(arguments));
        try {
            Path out = Files.createTempFile(folder, "out", "");
            Path err = Files.createTempFile(folder, "err", "");
            Process process = new ProcessBuilder(command)
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile())
                    .start();
            process.getOutputStream().close();
            assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
            return new Ended(process.exitValue(), Files.readAllBytes(out), Files.readString(err));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static Ended decode(Path input, Path descriptor3, Path keyFolder) {
        return run(DECODER, input, descriptor3.toString(), "cat", "--decryption-keys-path", keyFolder.toString());
    }

    private static Path file(byte[] bytes) throws IOException {
        return Files.write(Files.createTempFile(folder, "input", ""), bytes);
    }

    @Test
    void aLayerIsDecrypted() {
        Ended ended = decode(layer, payload, keys);
        assertThat(ended.err()).isEmpty();
        assertThat(ended.exit()).isZero();
        assertThat(ended.out()).isEqualTo(new byte[1 << 20]);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1 << 19, (1 << 20) - 1})
    void aChangedByteIsAnError(int position) throws IOException {
        byte[] changed = Files.readAllBytes(layer);
        changed[position] ^= 0x40;
        decode(file(changed), payload, keys).refused("ctd-decoder: the layer is not what was encrypted");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 300_000, (1 << 20) - 1, (1 << 20) + 1})
    void anotherLengthIsAnError(int length) throws IOException {
        decode(file(Arrays.copyOf(Files.readAllBytes(layer), length)), payload, keys)
                .refused("not what was encrypted");
    }

    @Test
    void aKeyThatDoesNotFitIsSaidBeforeAnythingIsWritten() throws IOException {
        Path other = Files.createDirectory(folder.resolve("other"));
        Sample.write(other);
        Ended ended = decode(layer, payload, other.resolve("keys"));
        ended.refused("ctd-decoder: no key fits the layer, whose key is wrapped as jwe");
        assertThat(ended.out()).isEmpty();
        decode(layer, payload, folder.resolve("none")).refused("there is no private key at all");
    }

    @Test
    void aPayloadThatIsMissingOrDamagedIsSaid() throws IOException {
        byte[] whole = Files.readAllBytes(payload);
        decode(layer, Path.of("/dev/null"), keys).refused("no payload on descriptor 3");
        decode(layer, file(new byte[] {0x0a, 1, 'x'}), keys).refused("the payload is of type \"x\"");
        decode(layer, file(Arrays.copyOf(whole, whole.length - 1)), keys).refused("the payload is damaged");
        decode(layer, file(new byte[(4 << 20) + 1]), keys).refused("more than 4194304 bytes");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "zstd"})
    void aLayerIsExpanded(String kind) throws IOException {
        Ended ended = run(program(kind), compressed(kind, 3), "/dev/null", "cat");
        assertThat(ended.err()).isEmpty();
        assertThat(ended.exit()).isZero();
        assertThat(ended.out()).isEqualTo(new byte[3 << 20]);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip", "zstd"})
    void whatIsNotOfItsKindOrNotAllOfItIsAnError(String kind) throws IOException {
        byte[] whole = Files.readAllBytes(compressed(kind, 3));
        run(program(kind), file(Arrays.copyOf(whole, whole.length - 1)), "/dev/null", "cat")
                .refused("longshore-stream-" + kind + ": ");
        run(program(kind), file("no layer at all".getBytes(UTF_8)), "/dev/null", "cat")
                .refused("longshore-stream-" + kind);
        byte[] more = Arrays.copyOf(whole, whole.length + 5);
        more[whole.length] = 'x';
        run(program(kind), file(more), "/dev/null", "cat").refused("longshore-stream-" + kind);
    }

    /** A gibibyte of nothing in a megabyte, or in less: it passes, in the memory that there is. */
    @ParameterizedTest
    @ValueSource(strings = {"gzip", "zstd"})
    void aBombPassesWithoutTakingMemory(String kind) throws IOException {
        Path bomb = compressed(kind, (int) (BOMB >> 20));
        assertThat(Files.size(bomb)).isLessThan(BOMB / 900);
        Ended ended = run(program(kind), bomb, "/dev/null", "wc -c");
        assertThat(ended.err()).isEmpty();
        assertThat(new String(ended.out(), UTF_8).strip()).isEqualTo(Long.toString(BOMB));
    }

    /** Whoever wants no more of it is not kept waiting. */
    @ParameterizedTest
    @ValueSource(strings = {"gzip", "zstd"})
    void whoseReaderIsGoneEnds(String kind) throws IOException {
        assertThat(run(program(kind), compressed(kind, 64), "/dev/null", "head -c 10")
                        .exit())
                .isNotZero();
    }

    private static String program(String kind) {
        return "dev.longshore.stream." + kind + ".Main";
    }

    private static Path compressed(String kind, int mebibytes) throws IOException {
        Path file = folder.resolve("%d.%s".formatted(mebibytes, kind));
        if (!Files.exists(file)) {
            try (OutputStream raw = Files.newOutputStream(file);
                    OutputStream out =
                            kind.equals("gzip") ? new GZIPOutputStream(raw) : new ZstdOutputStreamNoFinalizer(raw)) {
                for (int i = 0; i < mebibytes; i++) {
                    out.write(new byte[1 << 20]);
                }
            }
        }
        return file;
    }
}
