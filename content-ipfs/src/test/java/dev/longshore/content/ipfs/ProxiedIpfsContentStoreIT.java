package dev.longshore.content.ipfs;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.testkit.ContentStoreContract;
import dev.longshore.testkit.ProxiedContentStore;
import java.nio.file.Path;

final class ProxiedIpfsContentStoreIT extends ContentStoreContract {

    @Override
    protected ContentStore open(Path root) throws Exception {
        return ProxiedContentStore.over(Stores.open(root));
    }

    @Override
    protected boolean keepsLabels() {
        return false;
    }
}
