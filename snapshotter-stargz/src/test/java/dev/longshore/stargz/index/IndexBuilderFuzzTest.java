package dev.longshore.stargz.index;

import static dev.longshore.stargz.index.Toc.entry;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.estargz.EntryType;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;

/** With {@code JAZZER_FUZZ=1} in the environment it looks for tables that are neither taken nor refused; else it tries a few. */
final class IndexBuilderFuzzTest {

    private static final IndexLimits LIMITS = new IndexLimits(50, 10_000, 1 << 20);

    @Timeout(value = 15, unit = TimeUnit.MINUTES)
    @FuzzTest(maxDuration = "10m")
    void aTableIsTakenOrRefused(FuzzedDataProvider data) throws IOException {
        Toc toc = new Toc();
        while (data.remainingBytes() > 0) {
            toc.add(entry(data.consumeString(20), data.pickValue(EntryType.values()))
                    .link(data.consumeString(20))
                    .mode(data.consumeShort())
                    .size(data.consumeLong(-1, 1 << 21))
                    .device(data.consumeInt(-1, 5000), data.consumeInt(-1, 1 << 21))
                    .xattrs(data.consumeBoolean() ? Map.of(data.consumeString(10), data.consumeBytes(20)) : Map.of())
                    .at(data.consumeLong(-1, 100_000))
                    .inner(data.consumeLong(-1, 100))
                    .chunk(data.consumeLong(-1, 1 << 21), data.consumeLong(-1, 1 << 21)));
        }
        Path file = Files.createTempFile("layer", ".index");
        try (LayerIndex index = toc.build(file, LIMITS)) {
            for (int inode = 1; inode <= index.inodes(); inode++) {
                check(index, inode);
            }
        } catch (InvalidArgumentException | ResourceExhaustedException refused) {
            // as it should be
        } finally {
            Files.delete(file);
        }
    }

    private static void check(LayerIndex index, int inode) {
        index.attributes(inode);
        if (index.xattrs(inode).stream()
                .anyMatch(name -> index.xattr(inode, name).isEmpty())) {
            throw new IllegalStateException("an extended attribute is not found: " + index.path(inode));
        }
        index.target(inode);
        for (int i = 0; i < index.count(inode); i++) {
            if (index.lookup(inode, index.name(inode, i)) != index.child(inode, i)) {
                throw new IllegalStateException("a name is not found: " + index.path(index.child(inode, i)));
            }
        }
        long done = 0;
        for (int i = 0; i < index.chunkCount(inode); i++) {
            done += index.chunkAt(inode, i).size();
        }
        if (index.isRegular(inode) && done != index.size(inode)) {
            throw new IllegalStateException("chunks do not make the file up: " + index.path(inode));
        }
    }
}
