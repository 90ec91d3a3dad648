package dev.longshore.content.ipfs;

import static dev.longshore.content.ipfs.Stores.CONTEXT;
import static dev.longshore.content.ipfs.Stores.bytes;
import static dev.longshore.content.ipfs.Stores.cid;
import static dev.longshore.content.ipfs.Stores.declare;
import static dev.longshore.content.ipfs.Stores.read;
import static dev.longshore.content.ipfs.Stores.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.content.ipfs.kubo.KuboDaemon;
import dev.longshore.content.ipfs.kubo.KuboNode;
import dev.longshore.ipfs.Cid;
import dev.longshore.sdk.content.StoreLabels;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a store with copies in a node does, and what becomes of it when the node is away. With a real node. */
class NodeCopiesIT {

    private static final int SIZE = 1_500_000;

    @TempDir
    private Path folder;

    @SuppressWarnings("NullAway.Init") // made before each test
    private KuboDaemon node;

    @BeforeEach
    void start() throws Exception {
        node = KuboDaemon.start(NodeStores.program(), folder.resolve("node"));
    }

    @AfterEach
    void stop() throws Exception {
        if (node != null) {
            node.close();
        }
    }

    private boolean nodeHas(String cid) throws Exception {
        try (KuboNode asked = new KuboNode(node.api())) {
            return asked.has(Cid.parse(cid), Deadline.after(Duration.ofSeconds(10)));
        }
    }

    private IpfsContentStore open() throws Exception {
        return NodeStores.open(folder.resolve("store"), node.api());
    }

    private List<Path> packs() throws Exception {
        try (Stream<Path> files = Files.list(new IpfsLayout(folder.resolve("store")).packs())) {
            return files.toList();
        }
    }

    @Test
    void blobIsPinnedInTheNodeUntilItIsDeleted() throws Exception {
        byte[] blob = bytes(SIZE, 1);
        try (IpfsContentStore store = open()) {
            Digest digest = write(store, blob);
            String cid = cid(store, digest);
            node.run("repo", "gc", "-q");
            Path copy = folder.resolve("copy");
            node.run("get", "-o", copy.toString(), cid);
            assertThat(copy).hasBinaryContent(blob);
            assertThat(node.run("pin", "ls", "--type=recursive", "-q")).contains(cid);

            store.delete(CONTEXT, digest);
            assertThat(node.run("pin", "ls", "--type=recursive", "-q")).doesNotContain(cid);
            node.run("repo", "gc", "-q");
            assertThat(nodeHas(cid)).isFalse();
        }
    }

    @Test
    void blobThatTheNodeHasIsTakenByItsCidAndPinned() throws Exception {
        byte[] blob = bytes(SIZE, 2);
        Digest digest = Digest.sha256(blob);
        Path file = Files.write(folder.resolve("file"), blob);
        for (String chunks : List.of("size-262144", "size-1048576")) {
            String cid =
                    node.run("add", "-Q", "--cid-version=1", "--pin=false", "--chunker=" + chunks, file.toString());
            try (IpfsContentStore store = open()) {
                declare(store, digest, 0, cid);
                assertThat(store.info(CONTEXT, digest).size()).isEqualTo(SIZE);
                assertThat(store.info(CONTEXT, digest).labels()).containsEntry(StoreLabels.IPFS_CID, cid);
                assertThat(read(store, digest)).isEqualTo(blob);
                node.run("repo", "gc", "-q");
                assertThat(nodeHas(cid)).isTrue();
                store.delete(CONTEXT, digest);
            }
        }
    }

    @Test
    void nothingIsStoredWhileTheNodeIsAwayAndWhatIsHereIsRead() throws Exception {
        byte[] before = bytes(SIZE, 3);
        byte[] after = bytes(SIZE, 4);
        try (IpfsContentStore store = open()) {
            Digest kept = write(store, before);
            String api = node.api().toString();
            node.stop();
            assertThat(read(store, kept)).isEqualTo(before);
            assertThatThrownBy(() -> write(store, after))
                    .isInstanceOf(UnavailableException.class)
                    .hasMessageContainingAll(Digest.sha256(after).toString(), "block baf", "cannot be reached");
            assertThatThrownBy(() -> store.info(CONTEXT, Digest.sha256(after))).isInstanceOf(NotFoundException.class);
            assertThat(packs()).hasSize(1);
            assertThatThrownBy(() -> store.delete(CONTEXT, kept)).isInstanceOf(UnavailableException.class);
            assertThat(read(store, kept)).isEqualTo(before);

            node.run("config", "Addresses.API", api);
            node.start();
            // What was written is still in the ingest.
            assertThat(store.status(CONTEXT, Digest.sha256(after).toString()).offset())
                    .isEqualTo(SIZE);
            Digest digest = write(store, after);
            assertThat(nodeHas(cid(store, digest))).isTrue();
            store.delete(CONTEXT, kept);
        }
    }

    @Test
    void blobWhosePackIsLostComesBackFromTheNode() throws Exception {
        byte[] blob = bytes(SIZE, 5);
        Digest digest;
        try (IpfsContentStore store = open()) {
            digest = write(store, blob);
        }
        Files.delete(packs().getFirst());
        try (IpfsContentStore store = open()) {
            assertThat(read(store, digest)).isEqualTo(blob);
            assertThat(packs()).hasSize(1);
        }
    }
}
