package dev.longshore.content.ipfs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.content.ipfs.Traffic.Origin;
import dev.longshore.content.ipfs.Upstream.Source;
import dev.longshore.ipfs.BlockSource;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.StoreLabels;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.linux.FileStat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;

/** What the tests do with stores. */
final class Stores {

    static final CallContext CONTEXT = CallContext.of("test", Duration.ofMinutes(5));

    private Stores() {}

    static IpfsContentStore open(Path root) throws IOException {
        return open(root, new Traffic());
    }

    static IpfsContentStore open(Path root, Traffic traffic, BlockSource... gateways) throws IOException {
        List<Source> sources = Arrays.stream(gateways)
                .map(blocks -> new Source("test gateway", Origin.GATEWAY, blocks))
                .toList();
        return new IpfsContentStore(
                root, new Upstream(sources, Duration.ofSeconds(10), traffic), traffic, Clock.systemUTC());
    }

    static byte[] bytes(int size, long seed) {
        byte[] bytes = new byte[size];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    static Digest write(ContentStore store, byte[] bytes) {
        Digest digest = Digest.sha256(bytes);
        try (ContentWriter writer =
                store.writer(CONTEXT, new WriterRequest(digest.toString(), bytes.length, Optional.of(digest)))) {
            int there = (int) writer.status().offset();
            writer.write(ByteBuffer.wrap(bytes, there, bytes.length - there));
            writer.commit(bytes.length, Optional.of(digest), Map.of());
        }
        return digest;
    }

    /** Commits a blob by its CID. */
    static void declare(ContentStore store, Digest digest, long size, String cid) {
        try (ContentWriter writer =
                store.writer(CONTEXT, new WriterRequest(digest.toString(), size, Optional.of(digest)))) {
            writer.commit(size, Optional.of(digest), Map.of(StoreLabels.IPFS_CID, cid));
        }
    }

    static String cid(ContentStore store, Digest digest) {
        return store.info(CONTEXT, digest).labels().getOrDefault(StoreLabels.IPFS_CID, "");
    }

    static byte[] read(ContentStore store, Digest digest) {
        try (ContentReader reader = store.reader(CONTEXT, digest)) {
            return read(reader, 0, (int) reader.size());
        }
    }

    static byte[] read(ContentReader reader, long offset, int size) {
        ByteBuffer buffer = ByteBuffer.allocate(size);
        while (buffer.hasRemaining()) {
            assertThat(reader.read(buffer, offset + buffer.position())).isPositive();
        }
        return buffer.array();
    }

    /** Bytes of the disk that the packs have, holes not counted. */
    static long used(Path root) throws IOException {
        long blocks = 0;
        try (Stream<Path> packs = Files.list(new IpfsLayout(root).packs())) {
            for (Path pack : packs.toList()) {
                blocks += FileStat.of(pack).blocks();
            }
        }
        return blocks * 512;
    }
}
