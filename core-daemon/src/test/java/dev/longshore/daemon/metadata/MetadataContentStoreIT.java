package dev.longshore.daemon.metadata;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.testkit.ContentStoreContract;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;

/** The metadata over the files, as code inside of the daemon uses them. */
class MetadataContentStoreIT extends ContentStoreContract {

    private final List<MetadataStore> opened = new ArrayList<>();

    @Override
    protected ContentStore open(Path root) throws Exception {
        closeMetadata();
        MetadataStore metadata = MetadataStore.open(
                Files.createDirectories(root.resolve("meta")), Clock.systemUTC(), leavesGarbage -> {});
        opened.add(metadata);
        return metadata.content(
                new LocalContentStore(root.resolve("content"), Clock.systemUTC()), SharingPolicy.SHARED);
    }

    @AfterEach
    void closeMetadata() {
        opened.forEach(MetadataStore::close);
        opened.clear();
    }

    @Override
    protected boolean keepsLabels() {
        return true;
    }
}
