package dev.longshore.content.ipfs;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.testkit.ContentStoreContract;
import java.nio.file.Path;

final class IpfsContentStoreIT extends ContentStoreContract {

    @Override
    protected ContentStore open(Path root) throws Exception {
        return Stores.open(root);
    }

    @Override
    protected boolean keepsLabels() {
        return false;
    }
}
