package dev.longshore.stargz.fuse;

import static dev.longshore.stargz.index.Toc.entry;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.estargz.EntryType;
import dev.longshore.stargz.index.LayerIndex;
import dev.longshore.stargz.index.Toc;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** Whatever the kernel sends is answered within the room that there is. */
final class RequestProperties {

    private static final int ROOM = 4096;

    @SuppressWarnings("NullAway.Init")
    private static LayerIndex index;

    @SuppressWarnings("NullAway.Init")
    private static Path file;

    @BeforeContainer
    static void build() throws IOException {
        file = Files.createTempFile("layer", ".index");
        Toc toc = new Toc()
                .add(entry("a", EntryType.REG).xattrs(Map.of("user.a", new byte[5000])))
                .symlink("l", "target")
                .file("o/.wh..wh..opq", 0);
        for (int i = 0; i < 100; i++) {
            toc.file("d/" + "x".repeat(1 + i * 2) + i, 10);
        }
        index = toc.build(file);
    }

    @AfterContainer
    static void close() throws IOException {
        index.close();
        Files.delete(file);
    }

    @Property(tries = 5000)
    void anyBytesAreARequestOrNone(
            @ForAll @IntRange(max = 60) int opcode,
            @ForAll @LongRange(min = -1, max = 120) long node,
            @ForAll @Size(max = 80) byte[] body) {
        ByteBuffer bytes = ByteBuffer.allocate(Protocol.IN_HEADER + body.length)
                .order(ByteOrder.nativeOrder())
                .putInt(0, Protocol.IN_HEADER + body.length)
                .putInt(4, opcode)
                .putLong(16, node)
                .put(Protocol.IN_HEADER, body);
        Optional<Request> request = Request.parse(bytes, bytes.capacity());
        assertThat(request).isPresent();
        Answers answers = new Answers(index, FuseOptions.of("sha256:test"));
        ByteBuffer out = ByteBuffer.allocate(ROOM).order(ByteOrder.nativeOrder());
        int length = answers.answer(request.get(), out);
        assertThat(length).isBetween(-200, ROOM);
    }

    @Property(tries = 300)
    void aFolderIsListedWholeWhateverTheRoom(@ForAll @IntRange(min = 400, max = ROOM) int room, @ForAll boolean plus) {
        Answers answers = new Answers(index, FuseOptions.of("sha256:test"));
        int folder = index.lookup(LayerIndex.ROOT, new byte[] {'d'});
        ByteBuffer out = ByteBuffer.allocate(ROOM).order(ByteOrder.nativeOrder());
        Set<String> names = new HashSet<>();
        long offset = 0;
        while (true) {
            Request.Header header = new Request.Header(0, 1, folder, 0);
            int length = answers.answer(new Request.ReadFolder(header, offset, room, plus), out);
            assertThat(length).isBetween(0, room);
            if (length == 0) {
                break;
            }
            for (int at = 0; at < length; ) {
                int head = plus ? Protocol.ENTRY_OUT : 0;
                offset = out.getLong(at + head + 8);
                int nameLength = out.getInt(at + head + 16);
                byte[] name = new byte[nameLength];
                out.get(at + head + Protocol.DIRENT, name);
                assertThat(names.add(new String(name, StandardCharsets.UTF_8))).isTrue();
                at += (head + Protocol.DIRENT + nameLength + 7) & ~7;
            }
        }
        assertThat(names).hasSize(102).contains(".", "..");
    }
}
