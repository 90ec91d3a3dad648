package dev.longshore.daemon.diff;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.metadata.MetadataStore;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.testkit.DifferFixture.Differ;
import dev.longshore.testkit.ProxiedDiffer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayDeque;
import java.util.Deque;

/** The walking differ over content with metadata, and what must be closed of it. */
final class OpenedDiffer implements AutoCloseable {

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    ContentStore content(Path root) throws IOException {
        MetadataStore metadata = MetadataStore.open(
                Files.createDirectories(root.resolve("meta")), Clock.systemUTC(), leavesGarbage -> {});
        opened.push(metadata);
        ContentStore content = metadata.content(
                new LocalContentStore(root.resolve("content"), Clock.systemUTC()), SharingPolicy.SHARED);
        opened.push(content);
        return content;
    }

    static Differ direct(ContentStore content, Path scratch) {
        return new Differ(
                new WalkingApplier(content, scratch, StreamProcessors.NONE), new WalkingComparer(content, scratch));
    }

    Differ proxied(ContentStore content, Path scratch) throws IOException {
        Differ direct = direct(content, scratch);
        ProxiedDiffer proxied = ProxiedDiffer.over(direct.applier(), direct.comparer());
        opened.push(proxied);
        return new Differ(proxied, proxied);
    }

    @Override
    public void close() throws Exception {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
    }
}
