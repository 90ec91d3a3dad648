package dev.longshore.estargz;

import dev.longshore.sdk.tar.ByteStrings;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.GlobalHeaders;
import dev.longshore.sdk.tar.Segment;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarLimits;
import dev.longshore.sdk.tar.TarReader;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The entries of an archive in the order in which they are to be written: what is prioritized with the folders above it, a
 * landmark, the rest. Of two entries with one name only the second is left, and no landmark that was there before.
 */
final class SourceArchive {

    private static final int BUFFER = 1 << 20;

    /** What is in the file that a landmark is. */
    static final byte LANDMARK_CONTENT = 0xf;

    /**
     * @param contentAt where in the archive the stored bytes of the file begin; -1 for a landmark, which is in no archive
     * @param segments of the file that are stored
     */
    record Source(TarEntry entry, long contentAt, List<Segment> segments) {}

    private final Map<String, Source> byPath = new LinkedHashMap<>();

    private SourceArchive() {}

    static SourceArchive read(FileChannel archive) throws IOException {
        SourceArchive all = new SourceArchive();
        archive.position(0);
        TarReader tar = new TarReader(
                new BufferedInputStream(Channels.newInputStream(archive), BUFFER),
                TarLimits.DEFAULT,
                GlobalHeaders.IGNORE);
        for (Optional<TarEntry> next = tar.next(); next.isPresent(); next = tar.next()) {
            TarEntry entry = next.get();
            String path = EntryNames.clean(entry.name());
            if (!Landmarks.isOne(path)) {
                // The later one counts, and has its place where it was.
                all.byPath.remove(path);
                all.byPath.put(path, new Source(entry, tar.position(), tar.segments()));
            }
        }
        return all;
    }

    /** @param missed takes the prioritized paths that are not there */
    List<Source> ordered(List<String> prioritized, List<String> missed) {
        Set<String> first = new LinkedHashSet<>();
        for (String name : prioritized) {
            String path = EntryNames.clean(ByteStrings.of(name));
            if (byPath.containsKey(path)) {
                pick(path, first);
            } else {
                missed.add(name);
            }
        }
        List<Source> sources = new ArrayList<>(byPath.size() + 1);
        first.forEach(path -> sources.add(source(path)));
        sources.add(landmark(prioritized.isEmpty() ? Landmarks.NO_PREFETCH : Landmarks.PREFETCH));
        byPath.forEach((path, source) -> {
            if (!first.contains(path)) {
                sources.add(source);
            }
        });
        return sources;
    }

    private Source source(String path) {
        Source source = byPath.get(path);
        if (source == null) {
            throw new IllegalStateException(path + " was there before");
        }
        return source;
    }

    /** Takes {@code path} behind the folders that it is in and, if it is a hard link, behind what it links to. */
    private void pick(String path, Set<String> into) {
        List<String> waiting = new ArrayList<>();
        // Names are bounded, and a link that leads back to itself ends at the second visit.
        for (String at = path; byPath.containsKey(at) && !waiting.contains(at); ) {
            waiting.add(at);
            TarEntry entry = source(at).entry();
            if (entry.type() != EntryType.HARD_LINK) {
                break;
            }
            at = EntryNames.clean(entry.linkName());
        }
        for (String one : waiting.reversed()) {
            List<String> folders = new ArrayList<>();
            for (String folder = one; !folder.isEmpty(); ) {
                folder = EntryNames.parent(folder);
                folders.add(folder);
            }
            folders.reversed().stream().filter(byPath::containsKey).forEach(into::add);
            into.add(one);
        }
    }

    private static Source landmark(String name) {
        return new Source(
                TarEntry.builder(EntryType.FILE, name).size(1).mode(0444).build(), -1, List.of(new Segment(0, 1)));
    }
}
