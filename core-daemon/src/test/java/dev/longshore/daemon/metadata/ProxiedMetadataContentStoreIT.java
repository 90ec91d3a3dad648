package dev.longshore.daemon.metadata;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.testkit.ProxiedContentStore;
import java.nio.file.Path;

/** The whole way of a client's blob: the socket, the metadata, the files. */
final class ProxiedMetadataContentStoreIT extends MetadataContentStoreIT {

    @Override
    protected ContentStore open(Path root) throws Exception {
        return ProxiedContentStore.over(super.open(root));
    }
}
