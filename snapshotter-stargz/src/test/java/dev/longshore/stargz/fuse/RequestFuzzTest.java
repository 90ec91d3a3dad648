package dev.longshore.stargz.fuse;

import static dev.longshore.stargz.index.Toc.entry;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.estargz.EntryType;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.index.Toc;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;

/** With {@code JAZZER_FUZZ=1} in the environment it looks for requests that break the parser or the answers; else it tries a few. */
final class RequestFuzzTest {

    private static final int ROOM = 4096;

    @SuppressWarnings("NullAway.Init")
    private static LayerIndex index;

    @SuppressWarnings("NullAway.Init")
    private static Path file;

    @BeforeAll
    static void build() throws IOException {
        file = Files.createTempFile("layer", ".index");
        index = new Toc()
                .add(entry("a", EntryType.REG).xattrs(Map.of("user.a", new byte[5000])))
                .symlink("l", "target")
                .file("d/.wh..wh..opq", 0)
                .file("d/file", 10)
                .build(file);
    }

    @AfterAll
    static void close() throws IOException {
        index.close();
        Files.delete(file);
    }

    @Timeout(value = 15, unit = TimeUnit.MINUTES)
    @FuzzTest(maxDuration = "10m")
    void aRequestIsAnsweredWithinItsRoom(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        if (bytes.length >= Protocol.IN_HEADER) {
            in.putInt(0, bytes.length); // else nearly all end here
        }
        Answers answers = new Answers(index, FuseOptions.of("sha256:test"));
        ByteBuffer out = ByteBuffer.allocate(ROOM).order(ByteOrder.nativeOrder());
        Request.parse(in, bytes.length).ifPresent(request -> {
            int length = answers.answer(request, out);
            if (length > ROOM || length < -200) {
                throw new IllegalStateException("answer of " + length + " to " + request);
            }
        });
    }
}
