package dev.longshore.stargz.index;

import dev.longshore.estargz.EntryType;
import dev.longshore.estargz.TocEntry;
import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A table of contents for tests: entries in order, files with one chunk of 100 bytes of the blob each. */
public final class Toc {

    /** Where the streams of files end. */
    public static final long DATA_END = 1L << 40;

    public static final Instant TIME = Instant.ofEpochSecond(1_700_000_000, 123_456_789);

    private final List<TocEntry> entries = new ArrayList<>();
    private long offset = 100;

    public Toc dir(String name, int mode) {
        return add(entry(name, EntryType.DIR).mode(mode));
    }

    public Toc file(String name, long size) {
        return add(entry(name, EntryType.REG).size(size).at(next()));
    }

    /** A file of chunks of {@code chunk} bytes and a rest. */
    public Toc file(String name, long size, long chunk) {
        add(entry(name, EntryType.REG)
                .size(size)
                .chunk(0, Math.min(size, chunk))
                .at(next()));
        for (long done = chunk; done < size; done += chunk) {
            add(entry(name, EntryType.CHUNK)
                    .chunk(done, Math.min(chunk, size - done))
                    .at(next()));
        }
        return this;
    }

    public Toc symlink(String name, String target) {
        return add(entry(name, EntryType.SYMLINK).link(target));
    }

    public Toc hardlink(String name, String target) {
        return add(entry(name, EntryType.HARDLINK).link(target));
    }

    public Toc add(Entry entry) {
        entries.add(entry.build());
        return this;
    }

    private long next() {
        offset += 100;
        return offset;
    }

    public static Entry entry(String name, EntryType type) {
        return new Entry(name, type);
    }

    public static Digest digest(String name, long offset) {
        return Digest.sha256((name + "@" + offset).getBytes(StandardCharsets.UTF_8));
    }

    public LayerIndex build(Path file) throws IOException {
        return build(file, IndexLimits.DEFAULT);
    }

    /** Of a blob that ends behind the last file's stream. */
    public LayerIndex buildShort(Path file) throws IOException {
        return build(file, IndexLimits.DEFAULT, next());
    }

    public LayerIndex build(Path file, IndexLimits limits) throws IOException {
        return build(file, limits, DATA_END);
    }

    private LayerIndex build(Path file, IndexLimits limits, long dataEnd) throws IOException {
        IndexBuilder builder = new IndexBuilder(dataEnd, limits);
        entries.forEach(builder::add);
        builder.finish(file);
        return LayerIndex.open(file);
    }

    /** One entry, before it is made. */
    public static final class Entry {
        private final String name;
        private final EntryType type;
        private long size;
        private String link = "";
        private int mode = 0644;
        private int uid = 7;
        private int gid = 8;
        private int major;
        private int minor;
        private Map<String, byte[]> xattrs = Map.of();
        private long offset;
        private long inner;
        private long chunkOffset;
        private long chunkSize;
        private boolean digested = true;

        private Entry(String name, EntryType type) {
            this.name = name;
            this.type = type;
        }

        public Entry size(long bytes) {
            size = bytes;
            return this;
        }

        public Entry link(String target) {
            link = target;
            return this;
        }

        public Entry mode(int permissions) {
            mode = permissions;
            return this;
        }

        public Entry owner(int user, int group) {
            uid = user;
            gid = group;
            return this;
        }

        public Entry device(int majorNumber, int minorNumber) {
            major = majorNumber;
            minor = minorNumber;
            return this;
        }

        public Entry xattrs(Map<String, byte[]> values) {
            xattrs = values;
            return this;
        }

        public Entry at(long blobOffset) {
            offset = blobOffset;
            return this;
        }

        public Entry inner(long streamOffset) {
            inner = streamOffset;
            return this;
        }

        public Entry chunk(long fileOffset, long bytes) {
            chunkOffset = fileOffset;
            chunkSize = bytes;
            return this;
        }

        public Entry undigested() {
            digested = false;
            return this;
        }

        private TocEntry build() {
            Optional<Digest> digest = digested && (type == EntryType.REG || type == EntryType.CHUNK)
                    ? Optional.of(digest(name, chunkOffset))
                    : Optional.empty();
            return new TocEntry(
                    name,
                    type,
                    size,
                    TIME,
                    link,
                    mode,
                    uid,
                    gid,
                    "",
                    "",
                    major,
                    minor,
                    xattrs,
                    Optional.empty(),
                    offset,
                    inner,
                    chunkOffset,
                    chunkSize,
                    digest);
        }
    }
}
