package dev.longshore.content.ipfs;

import static dev.longshore.content.ipfs.Stores.CONTEXT;
import static dev.longshore.content.ipfs.Stores.bytes;
import static dev.longshore.content.ipfs.Stores.cid;
import static dev.longshore.content.ipfs.Stores.declare;
import static dev.longshore.content.ipfs.Stores.read;
import static dev.longshore.content.ipfs.Stores.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.longshore.content.ipfs.Traffic.Origin;
import dev.longshore.ipfs.BlockSource;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.FileImporter;
import dev.longshore.ipfs.MissingBlockException;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class IpfsContentStoreTest {

    private static final int CHUNK = FileImporter.CHUNK;

    @TempDir
    private Path root;

    @TempDir
    private Path other;

    private static List<Path> packs(Path root) throws IOException {
        try (Stream<Path> files = Files.list(new IpfsLayout(root).packs())) {
            return files.sorted().toList();
        }
    }

    private static void damage(Path file, long offset) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(bytes(100, 99)), offset);
        }
    }

    // What is stored

    @Test
    void aBlobHasTheCidThatIpfsAddWouldPrint() throws IOException {
        byte[] bytes = bytes(180 * CHUNK + 7, 1);
        try (IpfsContentStore store = Stores.open(root)) {
            assertThat(cid(store, write(store, bytes)))
                    .isEqualTo(FileImporter.cid(new ByteArrayInputStream(bytes)).toString());
            assertThat(cid(store, write(store, new byte[0])))
                    .isEqualTo("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
        }
    }

    @Test
    void aLayerThatSharesMostOfItsChunksTakesLittleMore() throws IOException {
        byte[] first = bytes(40 * CHUNK, 2);
        byte[] second = first.clone();
        for (int chunk = 0; chunk < 40; chunk += 10) {
            System.arraycopy(bytes(CHUNK, 3 + chunk), 0, second, chunk * CHUNK, CHUNK);
        }
        try (IpfsContentStore store = Stores.open(root)) {
            Digest one = write(store, first);
            long before = Stores.used(root);
            Digest two = write(store, second);
            assertThat(Stores.used(root) - before).isLessThan(before * 15 / 100);
            assertThat(read(store, two)).isEqualTo(second);
            store.delete(CONTEXT, one);
            assertThat(read(store, two)).as("the other's blocks stay").isEqualTo(second);
            assertThat(Stores.used(root)).isLessThan(before * 115 / 100);
            store.delete(CONTEXT, two);
            assertThat(Stores.used(root)).isZero();
        }
    }

    @Test
    void zerosTakeOneChunk() throws IOException {
        byte[] zeros = new byte[50 * CHUNK];
        try (IpfsContentStore store = Stores.open(root)) {
            Digest digest = write(store, zeros);
            assertThat(Stores.used(root)).isLessThan(2 * CHUNK);
            assertThat(read(store, digest)).isEqualTo(zeros);
        }
    }

    @Test
    void aBlobThatIsReadIsFreedWhenItsReaderIsGone() throws IOException {
        byte[] bytes = bytes(3 * CHUNK, 4);
        try (IpfsContentStore store = Stores.open(root)) {
            Digest digest = write(store, bytes);
            try (ContentReader reader = store.reader(CONTEXT, digest)) {
                store.delete(CONTEXT, digest);
                assertThatThrownBy(() -> store.reader(CONTEXT, digest)).isInstanceOf(NotFoundException.class);
                assertThat(read(reader, 0, bytes.length)).isEqualTo(bytes);
                Digest again = write(store, bytes);
                assertThat(read(reader, CHUNK, CHUNK)).isEqualTo(Arrays.copyOfRange(bytes, CHUNK, 2 * CHUNK));
                store.delete(CONTEXT, again);
                assertThat(read(reader, 0, bytes.length)).isEqualTo(bytes);
            }
            assertThat(packs(root)).isEmpty();
        }
    }

    @Test
    void whatWasDeletedWhileItWasReadIsFreedAtTheNextStart() throws IOException {
        try (IpfsContentStore store = Stores.open(root)) {
            Digest digest = write(store, bytes(3 * CHUNK, 5));
            ContentReader _ = store.reader(CONTEXT, digest); // which a killed process never closes
            store.delete(CONTEXT, digest);
        }
        assertThat(packs(root)).hasSize(1);
        try (IpfsContentStore store = Stores.open(root)) {
            assertThat(packs(root)).isEmpty();
        }
    }

    @Test
    void aSecondProcessIsRefused() throws IOException {
        try (IpfsContentStore store = Stores.open(root)) {
            assertThat(store.statuses(CONTEXT, List.of())).isEmpty();
            assertThatThrownBy(() -> Stores.open(root))
                    .isInstanceOf(FailedPreconditionException.class)
                    .hasMessageContaining("another process");
        }
    }

    // Damage

    @Test
    void aMapThatWasCutOffIsMadeAnewFromThePacks() throws IOException {
        byte[] first = bytes(20 * CHUNK + 3, 6);
        byte[] second = first.clone();
        System.arraycopy(bytes(CHUNK, 7), 0, second, 5 * CHUNK, CHUNK);
        Digest one;
        Digest two;
        Digest lost;
        try (IpfsContentStore store = Stores.open(root)) {
            one = write(store, first);
            two = write(store, second);
            lost = write(store, bytes(2 * CHUNK, 8));
        }
        Path map = new IpfsLayout(root).map();
        try (FileChannel channel = FileChannel.open(map, StandardOpenOption.WRITE)) {
            channel.truncate(channel.size() / 2);
        }
        damage(packs(root).get(2), CHUNK + 17);
        try (IpfsContentStore store = Stores.open(root)) {
            assertThat(read(store, one)).isEqualTo(first);
            assertThat(read(store, two)).isEqualTo(second);
            assertThatThrownBy(() -> store.info(CONTEXT, lost))
                    .as("what cannot be verified is not there")
                    .isInstanceOf(NotFoundException.class);
            assertThat(packs(root)).hasSize(2);
            store.delete(CONTEXT, one);
            assertThat(read(store, two)).isEqualTo(second);
        }
        assertThat(root.resolve("map.db.damaged")).exists();
    }

    @Test
    void aMapThatIsGoneOrNoMapIsMadeAnew() throws IOException {
        byte[] bytes = bytes(3 * CHUNK, 9);
        Digest digest;
        try (IpfsContentStore store = Stores.open(root)) {
            digest = write(store, bytes);
        }
        Path map = new IpfsLayout(root).map();
        Files.delete(map);
        try (IpfsContentStore store = Stores.open(root)) {
            assertThat(read(store, digest)).isEqualTo(bytes);
        }
        Files.write(map, bytes(10_000, 10));
        try (IpfsContentStore store = Stores.open(root)) {
            assertThat(read(store, digest)).isEqualTo(bytes);
        }
    }

    @Test
    void aDamagedBlockIsFoundOutAndNamed() throws IOException {
        byte[] bytes = bytes(4 * CHUNK, 11);
        Digest digest;
        try (IpfsContentStore store = Stores.open(root)) {
            digest = write(store, bytes);
        }
        damage(packs(root).getFirst(), 2 * CHUNK + 1000);
        Traffic traffic = new Traffic();
        try (IpfsContentStore store = Stores.open(root, traffic);
                ContentReader reader = store.reader(CONTEXT, digest)) {
            assertThat(read(reader, 0, 2 * CHUNK)).isEqualTo(Arrays.copyOf(bytes, 2 * CHUNK));
            Cid block = FileImporter.cid(new ByteArrayInputStream(bytes, 2 * CHUNK, CHUNK));
            assertThatThrownBy(() -> reader.read(ByteBuffer.allocate(10), 2 * CHUNK + 5))
                    .isInstanceOf(DataLossException.class)
                    .hasMessageContaining(block.toString())
                    .hasMessageContaining(digest.toString());
            assertThat(traffic.mismatches()).isEqualTo(1);
            assertThat(read(reader, 3 * CHUNK, CHUNK)).hasSize(CHUNK);
        }
    }

    @Test
    void aDamagedBlockIsMendedFromASource() throws IOException {
        byte[] bytes = bytes(4 * CHUNK, 12);
        Digest digest;
        try (IpfsContentStore store = Stores.open(root)) {
            digest = write(store, bytes);
        }
        damage(packs(root).getFirst(), 2 * CHUNK + 1000);
        try (IpfsContentStore peer = Stores.open(other)) {
            write(peer, bytes);
            try (IpfsContentStore store = Stores.open(root, new Traffic(), peer.localBlocks())) {
                assertThat(read(store, digest)).isEqualTo(bytes);
            }
        }
        try (IpfsContentStore store = Stores.open(root)) {
            assertThat(read(store, digest)).isEqualTo(bytes);
        }
    }

    @Test
    void aPackThatIsGoneIsFetchedAgain() throws IOException {
        byte[] bytes = bytes(4 * CHUNK, 13);
        Digest digest;
        try (IpfsContentStore store = Stores.open(root)) {
            digest = write(store, bytes);
        }
        Files.delete(packs(root).getFirst());
        try (IpfsContentStore store = Stores.open(root)) {
            assertThatThrownBy(() -> store.reader(CONTEXT, digest))
                    .isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("no source");
        }
        try (IpfsContentStore peer = Stores.open(other)) {
            write(peer, bytes);
            try (IpfsContentStore store = Stores.open(root, new Traffic(), peer.localBlocks())) {
                assertThat(read(store, digest)).isEqualTo(bytes);
            }
        }
    }

    @Test
    void anIngestThatWasKilledInItsCommitGoesOn() throws IOException {
        byte[] bytes = bytes(2 * CHUNK + 5, 14);
        String ref = Digest.sha256(bytes).toString();
        try (IpfsContentStore store = Stores.open(root);
                ContentWriter writer = store.writer(CONTEXT, new WriterRequest(ref, 0, Optional.empty()))) {
            writer.write(ByteBuffer.wrap(bytes));
        }
        // As the commit leaves it when it is killed while it writes behind the data.
        IpfsLayout layout = new IpfsLayout(root);
        Path committing = layout.ingest(ref).committing(bytes.length);
        Files.move(layout.ingest(ref).data(), committing);
        Files.write(committing, new byte[1000], StandardOpenOption.APPEND);
        try (IpfsContentStore store = Stores.open(root)) {
            assertThat(store.status(CONTEXT, ref).offset()).isEqualTo(bytes.length);
            assertThat(read(store, write(store, bytes))).isEqualTo(bytes);
        }
    }

    // Blobs that are known by their CIDs

    @Test
    void aBlobIsTakenByItsCidAndFetchedWhenItIsRead() throws IOException {
        byte[] bytes = bytes(200 * CHUNK + 5, 15);
        Traffic traffic = new Traffic();
        try (IpfsContentStore peer = Stores.open(other);
                IpfsContentStore store = Stores.open(root, traffic, peer.localBlocks())) {
            Digest digest = write(peer, bytes);
            declare(store, digest, bytes.length, cid(peer, digest));
            assertThat(store.info(CONTEXT, digest).size()).isEqualTo(bytes.length);
            assertThat(packs(root)).isEmpty();
            assertThatThrownBy(() -> declare(store, digest, bytes.length, cid(peer, digest)))
                    .isInstanceOf(AlreadyExistsException.class);
            assertThat(read(store, digest)).isEqualTo(bytes);
            assertThat(cid(store, digest)).isEqualTo(cid(peer, digest));
            double fetched = traffic.blocks(Origin.GATEWAY);
            assertThat(read(store, digest)).isEqualTo(bytes);
            assertThat(traffic.blocks(Origin.GATEWAY)).isEqualTo(fetched).isBetween(203.0, 210.0);
            assertThat(new IpfsLayout(root).fetch(digest)).doesNotExist();
            assertThat(new IpfsLayout(root).declared(digest)).doesNotExist();
        }
    }

    @Test
    void aDeclarationOutlivesTheStoreAndItsMap() throws IOException {
        byte[] bytes = bytes(3 * CHUNK, 16);
        try (IpfsContentStore peer = Stores.open(other)) {
            Digest digest = write(peer, bytes);
            try (IpfsContentStore store = Stores.open(root, new Traffic(), peer.localBlocks())) {
                declare(store, digest, bytes.length, cid(peer, digest));
            }
            Files.delete(new IpfsLayout(root).map());
            try (IpfsContentStore store = Stores.open(root, new Traffic(), peer.localBlocks())) {
                assertThat(read(store, digest)).isEqualTo(bytes);
            }
            try (IpfsContentStore store = Stores.open(root)) {
                store.delete(CONTEXT, digest);
                assertThatThrownBy(() -> store.info(CONTEXT, digest)).isInstanceOf(NotFoundException.class);
            }
        }
    }

    @Test
    void whatIsHereAlreadyIsNotFetched() throws IOException {
        byte[] first = bytes(20 * CHUNK, 17);
        byte[] second = first.clone();
        System.arraycopy(bytes(CHUNK, 18), 0, second, 7 * CHUNK, CHUNK);
        Traffic traffic = new Traffic();
        try (IpfsContentStore peer = Stores.open(other);
                IpfsContentStore store = Stores.open(root, traffic, peer.localBlocks())) {
            write(store, first);
            Digest digest = write(peer, second);
            declare(store, digest, second.length, cid(peer, digest));
            assertThat(read(store, digest)).isEqualTo(second);
            assertThat(traffic.bytes(Origin.GATEWAY)).isLessThan(CHUNK + 20_000);
        }
    }

    @Test
    void aFetchThatBrokeOffGoesOnWhereItWas() throws IOException {
        byte[] bytes = bytes(40 * CHUNK, 19);
        try (IpfsContentStore peer = Stores.open(other)) {
            Digest digest = write(peer, bytes);
            Set<Cid> given = ConcurrentHashMap.newKeySet();
            BlockSource failing = (cid, deadline) -> {
                if (given.size() > 25) {
                    throw new IOException("the line is cut");
                }
                given.add(cid);
                return peer.localBlocks().get(cid, deadline);
            };
            try (IpfsContentStore store = Stores.open(root, new Traffic(), failing)) {
                declare(store, digest, bytes.length, cid(peer, digest));
                assertThatThrownBy(() -> store.reader(CONTEXT, digest))
                        .isInstanceOf(UnavailableException.class)
                        .hasMessageContaining("the line is cut");
            }
            Traffic traffic = new Traffic();
            try (IpfsContentStore store = Stores.open(root, traffic, peer.localBlocks())) {
                assertThat(read(store, digest)).isEqualTo(bytes);
                assertThat(traffic.blocks(Origin.GATEWAY)).isLessThan(25);
            }
        }
    }

    @Test
    void aSourceThatLiesIsFoundOutAndNothingIsStored() throws IOException {
        byte[] bytes = bytes(4 * CHUNK, 20);
        try (IpfsContentStore peer = Stores.open(other)) {
            Digest digest = write(peer, bytes);
            Cid third = FileImporter.cid(new ByteArrayInputStream(bytes, 2 * CHUNK, CHUNK));
            BlockSource liar = (cid, deadline) ->
                    cid.equals(third) ? bytes(CHUNK, 21) : peer.localBlocks().get(cid, deadline);
            Traffic traffic = new Traffic();
            try (IpfsContentStore store = Stores.open(root, traffic, liar)) {
                declare(store, digest, bytes.length, cid(peer, digest));
                assertThatThrownBy(() -> store.reader(CONTEXT, digest))
                        .isInstanceOf(UnavailableException.class)
                        .hasMessageContaining(third.toString())
                        .hasMessageContaining("test gateway");
                assertThat(traffic.mismatches()).isEqualTo(1);
                assertThat(packs(root)).isEmpty();
            }
            // The next one in the row has it right.
            try (IpfsContentStore store = Stores.open(root, traffic, liar, peer.localBlocks())) {
                assertThat(read(store, digest)).isEqualTo(bytes);
            }
        }
    }

    @Test
    void aCidOfOtherBytesThanTheDigestIsFoundOutBeforeAByteIsGivenOut() throws IOException {
        byte[] bytes = bytes(4 * CHUNK, 22);
        Digest claimed = Digest.sha256(bytes(4 * CHUNK, 23));
        try (IpfsContentStore peer = Stores.open(other);
                IpfsContentStore store = Stores.open(root, new Traffic(), peer.localBlocks())) {
            Digest digest = write(peer, bytes);
            declare(store, claimed, bytes.length, cid(peer, digest));
            assertThatThrownBy(() -> store.reader(CONTEXT, claimed))
                    .isInstanceOf(DataLossException.class)
                    .hasMessageContaining(claimed.toString())
                    .hasMessageContaining(digest.toString());
            assertThat(packs(root)).isEmpty();
            store.delete(CONTEXT, claimed);
            write(store, bytes(4 * CHUNK, 23));
            assertThat(read(store, claimed)).isEqualTo(bytes(4 * CHUNK, 23));
        }
    }

    @Test
    void ofABlobThatIsReadInPartsOnlyThoseBlocksComeAndAreKept() throws IOException {
        byte[] bytes = bytes(400 * CHUNK + 77, 26);
        try (IpfsContentStore peer = Stores.open(other)) {
            Digest digest = write(peer, bytes);
            Traffic traffic = new Traffic();
            try (IpfsContentStore store = Stores.open(root, traffic, peer.localBlocks())) {
                declare(store, digest, bytes.length, cid(peer, digest));
                try (ContentReader reader = store.partReader(CONTEXT, digest)) {
                    assertThat(reader.size()).isEqualTo(bytes.length);
                    checkPart(reader, bytes, 3 * CHUNK - 10, 20);
                    checkPart(reader, bytes, bytes.length - 100, 100);
                    checkPart(reader, bytes, 200 * CHUNK, 20 * CHUNK);
                    assertThat(reader.read(ByteBuffer.allocate(10), bytes.length))
                            .isEqualTo(-1);
                    assertThat(traffic.blocks(Origin.GATEWAY))
                            .as("leaves, the root for each who opens it, and nodes")
                            .isBetween(23.0, 30.0);
                    double before = traffic.blocks(Origin.GATEWAY);
                    checkPart(reader, bytes, 210 * CHUNK, CHUNK);
                    assertThat(traffic.blocks(Origin.GATEWAY)).isEqualTo(before);
                }
                assertThat(packs(root)).isEmpty();
            }
            // What has come is of use when the whole is brought, by another process.
            Traffic rest = new Traffic();
            try (IpfsContentStore store = Stores.open(root, rest, peer.localBlocks())) {
                assertThat(read(store, digest)).isEqualTo(bytes);
                assertThat(rest.blocks(Origin.GATEWAY)).isLessThan(401 + 5 - 23);
                try (ContentReader reader = store.partReader(CONTEXT, digest)) {
                    checkPart(reader, bytes, 7, CHUNK);
                }
                assertThat(root.resolve("fetch")).isEmptyDirectory();
            }
        }
    }

    private static void checkPart(ContentReader reader, byte[] bytes, int offset, int size) {
        ByteBuffer buffer = ByteBuffer.allocate(size);
        assertThat(reader.read(buffer, offset)).isEqualTo(size);
        assertThat(buffer.array()).isEqualTo(Arrays.copyOfRange(bytes, offset, offset + size));
    }

    @Test
    void blockThatSeveralReadAtOnceComesOnce() throws Exception {
        byte[] bytes = bytes(4 * CHUNK, 27);
        try (IpfsContentStore peer = Stores.open(other)) {
            Digest digest = write(peer, bytes);
            Cid second = FileImporter.cid(new ByteArrayInputStream(bytes, CHUNK, CHUNK));
            AtomicInteger asked = new AtomicInteger();
            CountDownLatch go = new CountDownLatch(1);
            BlockSource slow = (cid, deadline) -> {
                if (cid.equals(second)) {
                    asked.incrementAndGet();
                    awaitQuietly(go);
                }
                return peer.localBlocks().get(cid, deadline);
            };
            try (IpfsContentStore store = Stores.open(root, new Traffic(), slow);
                    ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
                declare(store, digest, bytes.length, cid(peer, digest));
                List<Future<?>> reads = new ArrayList<>();
                for (int i = 0; i < 4; i++) {
                    int offset = CHUNK + 1000 * i;
                    reads.add(threads.submit(() -> {
                        try (ContentReader reader = store.partReader(CONTEXT, digest)) {
                            checkPart(reader, bytes, offset, 1000);
                        }
                    }));
                }
                await().until(() -> asked.get() > 0);
                go.countDown();
                for (Future<?> read : reads) {
                    read.get();
                }
                // Who came after it had come has read it from the disk.
                assertThat(asked).hasValue(1);
            }
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void partThatCannotBeHadIsSaidAndTheOthersAreRead() throws IOException {
        byte[] bytes = bytes(4 * CHUNK, 28);
        try (IpfsContentStore peer = Stores.open(other)) {
            Digest digest = write(peer, bytes);
            Cid third = FileImporter.cid(new ByteArrayInputStream(bytes, 2 * CHUNK, CHUNK));
            BlockSource liar = (cid, deadline) ->
                    cid.equals(third) ? bytes(CHUNK, 21) : peer.localBlocks().get(cid, deadline);
            try (IpfsContentStore store = Stores.open(root, new Traffic(), liar)) {
                declare(store, digest, bytes.length, cid(peer, digest));
                try (ContentReader reader = store.partReader(CONTEXT, digest)) {
                    assertThatThrownBy(() -> reader.read(ByteBuffer.allocate(10), 2 * CHUNK))
                            .isInstanceOf(UnavailableException.class)
                            .hasMessageContaining(third.toString());
                    checkPart(reader, bytes, CHUNK, CHUNK);
                    checkPart(reader, bytes, 3 * CHUNK, CHUNK);
                }
                store.delete(CONTEXT, digest);
                assertThat(root.resolve("fetch")).isEmptyDirectory();
                assertThatThrownBy(() -> store.partReader(CONTEXT, digest)).isInstanceOf(NotFoundException.class);
            }
        }
    }

    @Test
    void aCidOfAnotherSizeOrThatNobodyHasIsRefused() throws IOException {
        byte[] bytes = bytes(4 * CHUNK, 24);
        try (IpfsContentStore peer = Stores.open(other);
                IpfsContentStore store = Stores.open(root, new Traffic(), peer.localBlocks())) {
            Digest digest = write(peer, bytes);
            assertThatThrownBy(() -> declare(store, digest, bytes.length + 1, cid(peer, digest)))
                    .isInstanceOf(FailedPreconditionException.class)
                    .hasMessageContaining("bytes, not");
            assertThatThrownBy(() -> declare(
                            store, digest, bytes.length, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"))
                    .isInstanceOf(FailedPreconditionException.class)
                    .hasMessageContaining("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
            assertThatThrownBy(() -> store.info(CONTEXT, digest)).isInstanceOf(NotFoundException.class);
            // The ingest is as it was: the bytes can be brought.
            assertThat(read(store, write(store, bytes))).isEqualTo(bytes);
        }
    }

    @Test
    void bytesThatAreBroughtFillADeclaredBlob() throws IOException {
        byte[] bytes = bytes(4 * CHUNK, 25);
        try (IpfsContentStore peer = Stores.open(other)) {
            Digest digest = write(peer, bytes);
            List<Cid> asked = new ArrayList<>();
            BlockSource counting = (cid, deadline) -> {
                asked.add(cid);
                if (asked.size() > 1) {
                    throw new MissingBlockException("gone");
                }
                return peer.localBlocks().get(cid, deadline);
            };
            try (IpfsContentStore store = Stores.open(root, new Traffic(), counting)) {
                declare(store, digest, bytes.length, cid(peer, digest));
                try (ContentWriter writer = store.writer(CONTEXT, new WriterRequest("r", 0, Optional.empty()))) {
                    writer.write(ByteBuffer.wrap(bytes));
                    writer.commit(0, Optional.of(digest), Map.of());
                }
                assertThat(read(store, digest)).isEqualTo(bytes);
            }
        }
    }
}
