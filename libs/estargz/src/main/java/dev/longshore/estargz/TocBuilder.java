package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.json.JsonWriter;
import dev.longshore.sdk.tar.ByteStrings;
import dev.longshore.sdk.tar.TarEntry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.IntToLongFunction;

/** Collects what is to be in a table of contents, while the offsets of the streams are not known yet. */
final class TocBuilder {

    /**
     * @param stream index of the stream that begins with the chunk
     * @param size bytes; 0 for the last one of several and for an only one, as the format has it
     */
    record Chunk(int stream, long offset, long size, Digest digest) {}

    private record Row(TarEntry entry, Optional<Digest> digest, List<Chunk> chunks) {}

    private final List<Row> rows = new ArrayList<>();
    private final Map<Long, String> userNames = new HashMap<>();
    private final Map<Long, String> groupNames = new HashMap<>();

    /**
     * @param digest of a file's content
     * @param chunks of a file that is not empty
     */
    void add(TarEntry entry, Optional<Digest> digest, List<Chunk> chunks) throws LayerFormatException {
        if (!isUtf8(entry.name()) || !isUtf8(entry.linkName())) {
            throw new LayerFormatException(
                    "\"%s\" has a name or a target that is not UTF-8, which a table of contents cannot say: leave the layer as it is"
                            .formatted(ByteStrings.text(entry.name())));
        }
        rows.add(new Row(entry, digest, List.copyOf(chunks)));
    }

    private static boolean isUtf8(String byteString) {
        return ByteStrings.of(ByteStrings.text(byteString)).equals(byteString);
    }

    /** @param offsets of the streams by their index */
    byte[] json(IntToLongFunction offsets) throws IOException {
        userNames.clear();
        groupNames.clear();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonWriter json = new JsonWriter(bytes)) {
            json.beginObject().number("version", 1).beginList("entries");
            for (Row row : rows) {
                write(row, offsets, json);
            }
            json.endList().endObject();
        }
        return bytes.toByteArray();
    }

    private void write(Row row, IntToLongFunction offsets, JsonWriter json) throws IOException {
        TarEntry entry = row.entry();
        String name = ByteStrings.text(entry.name());
        json.beginObject().string("name", name).string("type", type(entry));
        nonZero(json, "size", entry.size());
        if (!entry.modified().equals(Instant.EPOCH)) {
            json.string("modtime", entry.modified().toString());
        }
        if (!entry.linkName().isEmpty()) {
            json.string("linkName", ByteStrings.text(entry.linkName()));
        }
        nonZero(json, "mode", entry.mode());
        nonZero(json, "uid", entry.uid());
        nonZero(json, "gid", entry.gid());
        // A name is said once for an id, until it changes.
        if (!entry.userName().isEmpty() && !entry.userName().equals(userNames.put(entry.uid(), entry.userName()))) {
            json.string("userName", ByteStrings.text(entry.userName()));
        }
        if (!entry.groupName().isEmpty() && !entry.groupName().equals(groupNames.put(entry.gid(), entry.groupName()))) {
            json.string("groupName", ByteStrings.text(entry.groupName()));
        }
        nonZero(json, "devMajor", entry.deviceMajor());
        nonZero(json, "devMinor", entry.deviceMinor());
        if (!entry.xattrs().isEmpty()) {
            json.beginObject("xattrs");
            for (Map.Entry<String, String> xattr : new TreeMap<>(entry.xattrs()).entrySet()) {
                json.bytes(ByteStrings.text(xattr.getKey()), ByteStrings.bytes(xattr.getValue()));
            }
            json.endObject();
        }
        if (row.digest().isPresent()) {
            json.string("digest", row.digest().get().toString());
        }
        for (int i = 0; i < row.chunks().size(); i++) {
            if (i > 0) {
                json.endObject().beginObject().string("name", name).string("type", "chunk");
            }
            Chunk chunk = row.chunks().get(i);
            json.number("offset", offsets.applyAsLong(chunk.stream()));
            nonZero(json, "chunkOffset", chunk.offset());
            nonZero(json, "chunkSize", chunk.size());
            json.string("chunkDigest", chunk.digest().toString());
        }
        json.endObject();
    }

    private static String type(TarEntry entry) {
        return switch (entry.type()) {
            case FILE -> "reg";
            case HARD_LINK -> "hardlink";
            case SYMLINK -> "symlink";
            case CHARACTER_DEVICE -> "char";
            case BLOCK_DEVICE -> "block";
            case DIRECTORY -> "dir";
            case FIFO -> "fifo";
        };
    }

    private static void nonZero(JsonWriter json, String key, long value) throws IOException {
        if (value != 0) {
            json.number(key, value);
        }
    }
}
