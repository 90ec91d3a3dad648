package dev.longshore.ipfs;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;

/** With {@code JAZZER_FUZZ=1} in the environment it looks for bytes that are neither taken nor refused; else it tries a few. */
final class BlocksFuzzTest {

    @Timeout(value = 15, unit = TimeUnit.MINUTES)
    @FuzzTest(maxDuration = "10m")
    void aCidIsTakenOrRefused(FuzzedDataProvider data) {
        boolean text = data.consumeBoolean();
        try {
            Cid cid = text ? Cid.parse(data.consumeRemainingAsString()) : Cid.decode(data.consumeRemainingAsBytes());
            if (!Cid.parse(cid.toString()).equals(cid)
                    || !Cid.decode(cid.bytes()).equals(cid)) {
                throw new IllegalStateException("is read as another than it was written as: " + cid);
            }
        } catch (InvalidArgumentException refused) {
            // as it should be
        }
    }

    @Timeout(value = 15, unit = TimeUnit.MINUTES)
    @FuzzTest(maxDuration = "10m")
    void aNodeIsTakenOrRefused(FuzzedDataProvider data) {
        byte[] block = data.consumeRemainingAsBytes();
        try {
            DagPb node = DagPb.decode(block);
            if (DagPb.decode(node.encode()).links().size() != node.links().size()) {
                throw new IllegalStateException("is read as another than it was written as");
            }
        } catch (DagFormatException refused) {
            // as it should be
        }
        try {
            UnixFs file = UnixFs.decode(block);
            long sum = file.data().length;
            for (int i = 0; i < file.childCount(); i++) {
                sum += file.childSize(i);
            }
            if (sum != file.fileSize() || sum < 0) {
                throw new IllegalStateException("sizes do not add up");
            }
        } catch (DagFormatException refused) {
            // as it should be
        }
    }

    @Timeout(value = 15, unit = TimeUnit.MINUTES)
    @FuzzTest(maxDuration = "10m")
    void aTreeIsReadOrRefused(FuzzedDataProvider data) {
        MemoryBlocks blocks = new MemoryBlocks();
        Cid last = blocks.put(Codec.RAW, data.consumeBytes(100));
        while (data.remainingBytes() > 0) {
            int links = data.consumeInt(0, 3);
            Cid[] cids = new Cid[links];
            Arrays.fill(cids, last);
            byte[] content = data.consumeBytes(100);
            last = blocks.put(
                    data.consumeBoolean() ? Codec.DAG_PB : Codec.RAW,
                    new DagPb(
                                    Arrays.stream(cids)
                                            .map(cid -> new DagPb.Link(cid, "", 0))
                                            .toList(),
                                    Optional.of(content))
                            .encode());
        }
        try {
            DagReader reader = new DagReader(blocks.verified("memory"), last, MemoryBlocks.DEADLINE);
            ByteBuffer buffer = ByteBuffer.allocate(1000);
            for (long offset : new long[] {0, 1, reader.size() / 2, reader.size() - 1}) {
                if (offset >= 0 && reader.read(buffer.clear(), offset, MemoryBlocks.DEADLINE) == 0) {
                    throw new IllegalStateException("no bytes at " + offset + " of " + reader.size());
                }
            }
        } catch (DagFormatException refused) {
            // as it should be
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
