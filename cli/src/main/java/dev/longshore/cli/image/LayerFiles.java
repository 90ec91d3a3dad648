package dev.longshore.cli.image;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Progress;
import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.tar.ByteStrings;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.GlobalHeaders;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarLimits;
import dev.longshore.sdk.tar.TarReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Where an image's files are. */
public final class LayerFiles {

    private final Daemon daemon;
    private final Progress progress;

    public LayerFiles(Daemon daemon, Progress progress) {
        this.daemon = daemon;
        this.progress = progress;
    }

    /**
     * Finds the layer of each file: the top-most that has it, which is the one that a container sees.
     *
     * @param layers the lowest first
     * @param paths without a slash before them
     * @return for each layer that has some its files, in the order of {@code paths}; what is no file of the image is left out
     */
    public Map<Digest, List<String>> layersOf(List<Descriptor> layers, List<String> paths) throws IOException {
        Set<String> left = new LinkedHashSet<>(paths);
        Map<Digest, List<String>> found = new HashMap<>();
        for (Descriptor layer : layers.reversed()) {
            if (left.isEmpty() || !LayerConversion.LAYERS.contains(layer.mediaType())) {
                continue;
            }
            progress.step("looking for the files in layer " + layer.digest());
            Set<String> here = filesOf(layer, left);
            if (!here.isEmpty()) {
                found.put(layer.digest(), left.stream().filter(here::contains).toList());
                left.removeAll(here);
            }
        }
        return found;
    }

    private Set<String> filesOf(Descriptor layer, Set<String> wanted) throws IOException {
        Set<String> here = new HashSet<>();
        try (InputStream in = Compression.decompress(new BlobReader(daemon, layer))) {
            TarReader tar = new TarReader(in, TarLimits.DEFAULT, GlobalHeaders.IGNORE);
            for (Optional<TarEntry> next = tar.next(); next.isPresent(); next = tar.next()) {
                EntryType type = next.get().type();
                if (type == EntryType.FILE || type == EntryType.HARD_LINK) {
                    // Only names that somebody opened matter, and those are in their shortest form.
                    String path = Path.of("/")
                            .relativize(Path.of("/", ByteStrings.text(next.get().name()))
                                    .normalize())
                            .toString();
                    if (wanted.contains(path)) {
                        here.add(path);
                    }
                }
            }
        }
        return here;
    }
}
