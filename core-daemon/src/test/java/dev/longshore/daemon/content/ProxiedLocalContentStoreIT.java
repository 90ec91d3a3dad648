package dev.longshore.daemon.content;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.testkit.ContentStoreContract;
import dev.longshore.testkit.ProxiedContentStore;
import java.nio.file.Path;
import java.time.Clock;

final class ProxiedLocalContentStoreIT extends ContentStoreContract {

    @Override
    protected ContentStore open(Path root) throws Exception {
        return ProxiedContentStore.over(new LocalContentStore(root, Clock.systemUTC()));
    }

    @Override
    protected boolean keepsLabels() {
        return false;
    }
}
