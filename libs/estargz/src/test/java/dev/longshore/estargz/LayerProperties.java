package dev.longshore.estargz;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.AlphaChars;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.StringLength;

class LayerProperties {

    /** Whatever the sizes of files and chunks, and whichever come first: what goes in comes out. */
    @Property(tries = 60)
    void everyFileIsReadAsItWasWritten(
            @ForAll @Size(min = 1, max = 8)
                    Map<@AlphaChars @StringLength(min = 1, max = 120) String, @IntRange(max = 9000) Integer> files,
            @ForAll @IntRange(min = 512, max = 4000) int chunk,
            @ForAll @IntRange(max = 8) int first,
            @ForAll boolean zstd)
            throws IOException {
        List<String> prioritized = files.keySet().stream().limit(first).toList();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarWriter tar = new TarWriter(bytes)) {
            for (Map.Entry<String, Integer> file : files.entrySet()) {
                byte[] content = content(file.getValue());
                tar.write(TarEntry.builder(dev.longshore.sdk.tar.EntryType.FILE, file.getKey())
                        .size(content.length)
                        .build());
                tar.content(content, 0, content.length);
                tar.endContent(content.length);
            }
        }
        Path archive = Files.createTempFile("layer", ".tar");
        try (FileChannel channel = FileChannel.open(Files.write(archive, bytes.toByteArray()))) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            WrittenLayer written = new LayerWriter(
                            zstd ? LayerFormat.ZSTD_CHUNKED : LayerFormat.ESTARGZ,
                            new LayerOptions(chunk, 1, prioritized, 2))
                    .write(channel, out);
            ReadLayer read = ReadLayer.of(new BytesReader(out.toByteArray()), written.annotations());
            long landmark = read.entry(prioritized.isEmpty() ? Landmarks.NO_PREFETCH : Landmarks.PREFETCH)
                    .offset();
            for (Map.Entry<String, Integer> file : files.entrySet()) {
                assertThat(read.content(file.getKey())).isEqualTo(content(file.getValue()));
                if (file.getValue() > 0) {
                    assertThat(read.entry(file.getKey()).offset() < landmark)
                            .isEqualTo(prioritized.contains(file.getKey()));
                }
            }
        } finally {
            Files.delete(archive);
        }
    }

    private static byte[] content(int size) {
        byte[] content = new byte[size];
        new Random(size).nextBytes(content);
        return content;
    }
}
