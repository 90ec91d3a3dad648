package dev.longshore.daemon.diff;

import dev.longshore.sdk.compress.CompressionException;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.tar.GlobalHeaders;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarFormatException;
import dev.longshore.sdk.tar.TarLimits;
import dev.longshore.sdk.tar.TarReader;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Applies layers that are tar archives, or that stream processors make tar archives of. */
public final class WalkingApplier implements Applier {

    private final ContentStore content;
    private final Path scratch;
    private final StreamProcessors processors;

    /** @param scratch where mounts are made */
    public WalkingApplier(ContentStore content, Path scratch, StreamProcessors processors) {
        this.content = content;
        this.scratch = scratch;
        this.processors = processors;
    }

    @Override
    public Descriptor apply(
            CallContext context,
            Descriptor layer,
            List<Mount> mounts,
            Map<String, TypedValue> payloads,
            boolean syncFileSystem) {
        try (BlobStream blob = BlobStream.open(content, context, layer);
                PlainLayer plain = processors.open(blob, layer, payloads, context.deadline())) {
            Optional<LayerTarget> overlay = LayerTarget.overlay(mounts);
            try {
                return overlay.isPresent()
                        ? apply(plain, overlay.get(), syncFileSystem)
                        : Mounts.withTempMount(
                                mounts, scratch, root -> apply(plain, LayerTarget.plain(root), syncFileSystem));
            } catch (IOException | RuntimeException e) {
                plain.explain();
                throw e;
            }
        } catch (TarFormatException | CompressionException e) {
            throw new InvalidArgumentException(
                    "layer %s cannot be read: %s".formatted(layer.digest(), e.getMessage()), e);
        } catch (InvalidArgumentException e) {
            throw new InvalidArgumentException(
                    "layer %s cannot be applied: %s".formatted(layer.digest(), e.getMessage()), e);
        } catch (IOException e) {
            throw new UncheckedIOException(
                    new IOException("layer %s cannot be applied: %s".formatted(layer.digest(), e.getMessage()), e));
        }
    }

    private static Descriptor apply(PlainLayer plain, LayerTarget target, boolean syncFileSystem) throws IOException {
        try (ReadAhead ahead = new ReadAhead(plain, Digest.digester("sha256"));
                LayerWriter writer = new LayerWriter(target)) {
            TarReader archive = new TarReader(ahead, TarLimits.DEFAULT, GlobalHeaders.IGNORE);
            for (Optional<TarEntry> entry = archive.next(); entry.isPresent(); entry = archive.next()) {
                writer.write(entry.get(), archive);
            }
            // What is behind the archive's end belongs to the digest all the same.
            ahead.transferTo(OutputStream.nullOutputStream());
            plain.finish();
            writer.finish();
            if (syncFileSystem) {
                try (Folder root = Folder.open(target.root())) {
                    root.syncFileSystem();
                }
            }
            Digest diffId = new Digest("sha256", HexFormat.of().formatHex(ahead.digest()));
            return new Descriptor(MediaTypes.OCI_LAYER, diffId, ahead.size());
        }
    }
}
