package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.json.JsonReader;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The entries of one table of contents: their form, and that the chunks of a file are its bytes from the first to the last,
 * each once. Names are not looked at.
 */
final class TocParser {

    /** Uncompressed bytes before a chunk in its stream: as much must be decompressed and thrown away to get at it. */
    private static final long MAX_INNER_OFFSET = 1L << 30;

    private static final long MAX_ID = 0xffff_ffffL;

    private static final Map<String, EntryType> TYPES = Map.of(
            "dir", EntryType.DIR,
            "reg", EntryType.REG,
            "symlink", EntryType.SYMLINK,
            "hardlink", EntryType.HARDLINK,
            "char", EntryType.CHAR,
            "block", EntryType.BLOCK,
            "fifo", EntryType.FIFO,
            "chunk", EntryType.CHUNK);

    private enum Key {
        NAME("name"),
        TYPE("type"),
        SIZE("size"),
        MOD_TIME("modtime"),
        LINK_NAME("linkName"),
        MODE("mode"),
        UID("uid"),
        GID("gid"),
        USER_NAME("userName"),
        GROUP_NAME("groupName"),
        DEV_MAJOR("devMajor"),
        DEV_MINOR("devMinor"),
        XATTRS("xattrs"),
        DIGEST("digest"),
        OFFSET("offset"),
        INNER_OFFSET("innerOffset"),
        CHUNK_OFFSET("chunkOffset"),
        CHUNK_SIZE("chunkSize"),
        CHUNK_DIGEST("chunkDigest");

        private final String text;

        Key(String text) {
            this.text = text;
        }
    }

    private static final List<Key> KEYS = List.of(Key.values());

    private static final JsonReader.Keys KEY_NAMES =
            JsonReader.Keys.of(KEYS.stream().map(key -> key.text).toList());

    private final TocLimits limits;
    private final long payloadEnd;
    private final TocReader.Sink sink;
    private long count;

    /** Of the regular file whose chunks are being read. */
    private String fileName = "";

    private long fileSize;
    /** Behind the last chunk of it that there was. */
    private long fileEnd;

    private String lastTimeText = "";
    private Instant lastTime = Instant.EPOCH;

    private String lastDigestText = "";
    private Optional<Digest> lastDigest = Optional.empty();

    TocParser(TocLimits limits, long payloadEnd, TocReader.Sink sink) {
        this.limits = limits;
        this.payloadEnd = payloadEnd;
        this.sink = sink;
    }

    long count() {
        return count;
    }

    void entries(JsonReader json) throws IOException {
        if (!json.beginList()) {
            return;
        }
        while (json.nextObject()) {
            if (++count > limits.entries()) {
                throw new LayerFormatException("the TOC has more than %d entries".formatted(limits.entries()));
            }
            TocEntry entry = entry(json);
            checkFile(entry);
            sink.accept(entry);
        }
        checkWhole();
    }

    private TocEntry entry(JsonReader json) throws IOException {
        String name = "";
        EntryType type = null;
        long size = 0;
        Instant modTime = Instant.EPOCH;
        String linkName = "";
        long mode = 0;
        long uid = 0;
        long gid = 0;
        String userName = "";
        String groupName = "";
        long devMajor = 0;
        long devMinor = 0;
        Map<String, byte[]> xattrs = Map.of();
        Optional<Digest> digest = Optional.empty();
        long offset = 0;
        long innerOffset = 0;
        long chunkOffset = 0;
        long chunkSize = 0;
        Optional<Digest> chunkDigest = Optional.empty();
        int seen = 0;
        for (int number = json.nextKey(KEY_NAMES); number != JsonReader.END; number = json.nextKey(KEY_NAMES)) {
            if (number == JsonReader.OTHER) {
                // chunkType: zeros are in the stream like all other bytes. endOffset: where the next stream begins.
                json.skip();
                continue;
            }
            Key key = KEYS.get(number);
            int before = seen;
            seen |= 1 << number;
            if (seen == before) {
                throw new LayerFormatException(
                        "entry %d of the TOC, \"%.80s\", has the key %s twice: readers would differ in what they take"
                                .formatted(count, name, key.text));
            }
            switch (key) {
                case NAME -> name = json.string();
                case TYPE -> type = type(json.string());
                case SIZE -> size = json.number();
                case MOD_TIME -> modTime = time(json.string());
                case LINK_NAME -> linkName = json.string();
                case MODE -> mode = json.number();
                case UID -> uid = json.number();
                case GID -> gid = json.number();
                case USER_NAME -> userName = json.string();
                case GROUP_NAME -> groupName = json.string();
                case DEV_MAJOR -> devMajor = json.number();
                case DEV_MINOR -> devMinor = json.number();
                case XATTRS -> xattrs = xattrs(json);
                case DIGEST -> digest = digest(json.string());
                case OFFSET -> offset = json.number();
                case INNER_OFFSET -> innerOffset = json.number();
                case CHUNK_OFFSET -> chunkOffset = json.number();
                case CHUNK_SIZE -> chunkSize = json.number();
                case CHUNK_DIGEST -> chunkDigest = digest(json.string());
            }
        }
        if (type == null) {
            throw new LayerFormatException("entry %d of the TOC, \"%.80s\", has no type".formatted(count, name));
        }
        boolean device = type == EntryType.CHAR || type == EntryType.BLOCK;
        return new TocEntry(
                name,
                type,
                inRange(type == EntryType.REG ? size : 0, Long.MAX_VALUE, "size", name),
                modTime,
                linkName,
                (int) mode & 07777,
                (int) inRange(uid, MAX_ID, "uid", name),
                (int) inRange(gid, MAX_ID, "gid", name),
                userName,
                groupName,
                (int) inRange(device ? devMajor : 0, MAX_ID, "devMajor", name),
                (int) inRange(device ? devMinor : 0, MAX_ID, "devMinor", name),
                xattrs,
                digest,
                inRange(offset, payloadEnd, "offset", name),
                inRange(innerOffset, MAX_INNER_OFFSET, "innerOffset", name),
                inRange(chunkOffset, Long.MAX_VALUE, "chunkOffset", name),
                inRange(chunkSize, Long.MAX_VALUE, "chunkSize", name),
                chunkDigest);
    }

    private EntryType type(String name) throws LayerFormatException {
        EntryType type = TYPES.get(name);
        if (type == null) {
            throw new LayerFormatException(
                    "entry %d of the TOC is of type \"%.20s\", which is unknown".formatted(count, name));
        }
        return type;
    }

    private long inRange(long value, long max, String key, String name) throws LayerFormatException {
        if (value < 0 || value > max) {
            throw new LayerFormatException("%s of entry %d of the TOC, \"%.80s\", is %d: it must be from 0 to %d"
                    .formatted(key, count, name, value, max));
        }
        return value;
    }

    private Map<String, byte[]> xattrs(JsonReader json) throws IOException {
        Map<String, byte[]> xattrs = new HashMap<>();
        if (json.beginOptionalObject()) {
            for (Optional<String> key = json.nextKey(); key.isPresent(); key = json.nextKey()) {
                if (xattrs.put(key.get(), json.base64()) != null) {
                    throw new LayerFormatException("entry %d of the TOC has the extended attribute \"%.80s\" twice"
                            .formatted(count, key.get()));
                }
            }
        }
        return xattrs;
    }

    private Optional<Digest> digest(String text) {
        if (!text.equals(lastDigestText)) {
            lastDigest = text.isEmpty() ? Optional.empty() : Optional.of(Digest.parse(text));
            lastDigestText = text;
        }
        return lastDigest;
    }

    /** A time of RFC 3339; what is none counts as unknown, as for the stargz snapshotter. */
    private Instant time(String text) {
        if (!text.equals(lastTimeText)) {
            lastTimeText = text;
            try {
                lastTime = text.isEmpty()
                        ? Instant.EPOCH
                        : OffsetDateTime.parse(text).toInstant();
            } catch (DateTimeException e) {
                lastTime = Instant.EPOCH;
            }
        }
        return lastTime;
    }

    private void checkFile(TocEntry entry) throws LayerFormatException {
        if (entry.type() == EntryType.CHUNK) {
            if (fileName.isEmpty()) {
                throw new LayerFormatException("entry %d of the TOC is a chunk of no file".formatted(count));
            }
            checkChunk(entry);
            return;
        }
        checkWhole();
        fileName = "";
        if (entry.type() == EntryType.REG) {
            fileName = entry.name();
            fileSize = entry.size();
            fileEnd = 0;
            if (fileSize > 0) {
                checkChunk(entry);
            }
        }
    }

    private void checkChunk(TocEntry chunk) throws LayerFormatException {
        long left = fileSize - fileEnd;
        long size = chunk.chunkSize() == 0 ? left : chunk.chunkSize();
        if (chunk.chunkOffset() != fileEnd || size > left || left == 0) {
            throw new LayerFormatException(
                    "entry %d of the TOC is the chunk of %d bytes at %d of \"%.80s\": the next should be at %d of %d bytes"
                            .formatted(count, size, chunk.chunkOffset(), fileName, fileEnd, fileSize));
        }
        if (size > limits.chunkBytes()) {
            throw new LayerFormatException("entry %d of the TOC is a chunk of %d bytes of \"%.80s\", the limit is %d"
                    .formatted(count, size, fileName, limits.chunkBytes()));
        }
        if (chunk.offset() >= payloadEnd) {
            throw new LayerFormatException("entry %d of the TOC, of \"%.80s\", begins at %d, the files end at %d"
                    .formatted(count, fileName, chunk.offset(), payloadEnd));
        }
        fileEnd += size;
    }

    private void checkWhole() throws LayerFormatException {
        if (!fileName.isEmpty() && fileEnd != fileSize) {
            throw new LayerFormatException("\"%.80s\" has %d bytes, the TOC has chunks of the first %d"
                    .formatted(fileName, fileSize, fileEnd));
        }
    }
}
