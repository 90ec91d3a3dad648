package dev.longshore.testkit;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.tar.ByteStrings;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.function.UnaryOperator;

/** A layer put together entry by entry; nothing about names and types is checked, so that it can be a hostile one. */
public final class LayerArchive {

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final TarWriter writer = new TarWriter(bytes);

    /** An entry without content. */
    public LayerArchive entry(EntryType type, String name, UnaryOperator<TarEntry.Builder> more) {
        return add(more.apply(TarEntry.builder(type, ByteStrings.of(name))).build(), new byte[0]);
    }

    public LayerArchive file(String name, String content) {
        return file(name, content, entry -> entry);
    }

    /** A file of mode 0644, unless {@code more} says otherwise. */
    public LayerArchive file(String name, String content, UnaryOperator<TarEntry.Builder> more) {
        byte[] contentBytes = content.getBytes(StandardCharsets.UTF_8);
        TarEntry.Builder entry = more.apply(
                TarEntry.builder(EntryType.FILE, ByteStrings.of(name)).size(contentBytes.length));
        return add(entry.build(), contentBytes);
    }

    public LayerArchive folder(String name) {
        return entry(EntryType.DIRECTORY, name + "/", entry -> entry);
    }

    public LayerArchive symlink(String name, String target) {
        return entry(EntryType.SYMLINK, name, entry -> entry.linkName(ByteStrings.of(target)));
    }

    public LayerArchive hardLink(String name, String target) {
        return entry(EntryType.HARD_LINK, name, entry -> entry.linkName(ByteStrings.of(target)));
    }

    /** {@code .wh.} before the last part of the name. */
    public LayerArchive whiteout(String name) {
        int slash = name.lastIndexOf('/') + 1;
        return file(name.substring(0, slash) + ".wh." + name.substring(slash), "");
    }

    public LayerArchive opaque(String folder) {
        return file(folder + "/.wh..wh..opq", "");
    }

    /** Any entry. */
    public LayerArchive add(TarEntry entry, byte[] content) {
        try {
            writer.write(entry);
            writer.content(content, 0, content.length);
            writer.endContent(content.length);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    /** The archive with its end. */
    public byte[] bytes() {
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        whole.writeBytes(bytes.toByteArray());
        whole.writeBytes(new byte[1024]);
        return whole.toByteArray();
    }

    public byte[] bytes(Compression compression) {
        return compress(compression, bytes());
    }

    public static byte[] compress(Compression compression, byte[] plain) {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (OutputStream out = compression.compress(packed)) {
            out.write(plain);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return packed.toByteArray();
    }
}
