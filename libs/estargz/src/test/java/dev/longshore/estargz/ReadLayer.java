package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** A layer read as a snapshotter reads it: footer, TOC, chunks by offset. */
record ReadLayer(BytesReader blob, Footer footer, Toc toc, List<TocEntry> entries) {

    static ReadLayer of(BytesReader blob, Map<String, String> annotations) throws IOException {
        Footer footer = Footer.read(blob).orElseThrow();
        List<TocEntry> entries = new ArrayList<>();
        Toc toc = new TocReader(TocLimits.DEFAULT).read(blob, footer, TocVerification.of(annotations), entries::add);
        return new ReadLayer(blob, footer, toc, entries);
    }

    TocEntry entry(String name) {
        return entries.stream()
                .filter(entry -> entry.name().equals(name) && entry.type() != EntryType.CHUNK)
                .findFirst()
                .orElseThrow(() -> new AssertionError(name + " is not in the TOC"));
    }

    /** The file's bytes, each chunk from its own range, and verified where there is something to verify it with. */
    byte[] content(String name) throws IOException {
        TreeSet<Long> offsets = new TreeSet<>();
        entries.stream().filter(entry -> entry.offset() > 0).forEach(entry -> offsets.add(entry.offset()));
        offsets.add(footer.payloadEnd());
        TocEntry file = entry(name);
        byte[] content = new byte[(int) file.size()];
        for (int i = entries.indexOf(file); i < entries.size() && file.size() > 0; i++) {
            TocEntry chunk = entries.get(i);
            if (!chunk.equals(file) && chunk.type() != EntryType.CHUNK) {
                break;
            }
            long size = chunk.chunkSize() == 0 ? file.size() - chunk.chunkOffset() : chunk.chunkSize();
            byte[] bytes = new byte[(int) size];
            long end = offsets.higher(chunk.offset());
            byte[] range = Arrays.copyOfRange(blob.bytes(), (int) chunk.offset(), (int) end);
            RawLayer.decode(footer.format().compression(), range, chunk.innerOffset(), bytes);
            chunk.bytesDigest().ifPresent(expected -> {
                if (!Digest.sha256(bytes).equals(expected)) {
                    throw new AssertionError("a chunk of " + name + " is not what the TOC says");
                }
            });
            System.arraycopy(bytes, 0, content, (int) chunk.chunkOffset(), bytes.length);
        }
        return content;
    }
}
