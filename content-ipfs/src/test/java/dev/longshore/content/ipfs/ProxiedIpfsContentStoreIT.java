package dev.longshore.content.ipfs;

import static dev.longshore.content.ipfs.Stores.CONTEXT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.content.ipfs.Traffic.Origin;
import dev.longshore.ipfs.FileImporter;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.testkit.ContentStoreContract;
import dev.longshore.testkit.ProxiedContentStore;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ProxiedIpfsContentStoreIT extends ContentStoreContract {

    private static final int CHUNK = FileImporter.CHUNK;

    @Override
    protected ContentStore open(Path root) throws Exception {
        return ProxiedContentStore.over(Stores.open(root));
    }

    @Override
    protected boolean keepsLabels() {
        return false;
    }

    @Test
    void onlyWhoSaysSoReadsPartsOfABlobThatIsNotHere(@TempDir Path root, @TempDir Path other) throws Exception {
        byte[] bytes = Stores.bytes(40 * CHUNK, 1);
        Traffic traffic = new Traffic();
        try (IpfsContentStore peer = Stores.open(other);
                ContentStore store = ProxiedContentStore.over(Stores.open(root, traffic, peer.localBlocks()))) {
            Digest digest = Stores.write(peer, bytes);
            Stores.declare(store, digest, bytes.length, Stores.cid(peer, digest));
            try (ContentReader reader = store.partReader(CONTEXT, digest)) {
                assertThat(Stores.read(reader, 9 * CHUNK, 2 * CHUNK))
                        .isEqualTo(Arrays.copyOfRange(bytes, 9 * CHUNK, 11 * CHUNK));
            }
            assertThat(traffic.bytes(Origin.GATEWAY)).isLessThan(4 * CHUNK);
            try (ContentReader reader = store.reader(CONTEXT, digest)) {
                assertThat(Stores.read(reader, 0, 10)).isEqualTo(Arrays.copyOf(bytes, 10));
            }
            assertThat(traffic.bytes(Origin.GATEWAY)).isGreaterThan(bytes.length);
        }
    }
}
