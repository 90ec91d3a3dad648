package dev.longshore.stargz.index;

import static dev.longshore.stargz.index.Toc.entry;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.estargz.EntryType;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

final class LayerIndexProperties {

    /** Paths of at most four parts with few names, so that they meet; sizes below zero are for folders. */
    @Provide
    Arbitrary<Map<String, Integer>> trees() {
        Arbitrary<String> part = Arbitraries.of("a", "b", "ab", "ä", "B", "longer-name", "a.b", "-");
        Arbitrary<String> path = part.list().ofMinSize(1).ofMaxSize(4).map(parts -> String.join("/", parts));
        return Arbitraries.maps(path, Arbitraries.integers().between(-3, 2000)).ofMaxSize(60);
    }

    @Property(tries = 300)
    void lookupAndListingGiveWhatWentIn(@ForAll("trees") Map<String, Integer> paths) throws IOException {
        Map<String, Integer> tree = new LinkedHashMap<>();
        paths.forEach((path, size) -> tree.put(path, isParent(path, paths) ? -1 : size));
        Toc toc = new Toc();
        tree.forEach((path, size) -> {
            if (size < 0) {
                toc.dir(path + "/", 0700);
            } else {
                toc.file(path, size, 300);
            }
        });
        Path file = Files.createTempFile("layer", ".index");
        try (LayerIndex index = toc.build(file)) {
            Map<String, Integer> found = new TreeMap<>();
            collect(index, LayerIndex.ROOT, "", found);
            assertThat(found.keySet()).containsAll(tree.keySet());
            found.forEach((path, inode) -> {
                int size = tree.getOrDefault(path, -1);
                assertThat(index.isFolder(inode)).isEqualTo(size < 0);
                assertThat(index.path(inode)).isEqualTo("/" + path);
                if (size >= 0) {
                    assertThat(index.size(inode)).isEqualTo(size);
                    checkChunks(index, inode);
                }
            });
            found.keySet().removeAll(tree.keySet());
            // The rest are folders that had to be made.
            assertThat(found.keySet()).allMatch(path -> isParent(path, tree));
        } finally {
            Files.delete(file);
        }
    }

    private static boolean isParent(String path, Map<String, Integer> tree) {
        return tree.keySet().stream().anyMatch(other -> other.startsWith(path + "/"));
    }

    private static void collect(LayerIndex index, int folder, String path, Map<String, Integer> found) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < index.count(folder); i++) {
            byte[] name = index.name(folder, i);
            String text = new String(name, StandardCharsets.UTF_8);
            names.add(text);
            int inode = index.child(folder, i);
            assertThat(index.lookup(folder, name)).isEqualTo(inode);
            found.put(path + text, inode);
            if (index.isFolder(inode)) {
                collect(index, inode, path + text + "/", found);
            }
        }
        assertThat(names).doesNotHaveDuplicates();
        assertThat(index.lookup(folder, "not there".getBytes(StandardCharsets.UTF_8)))
                .isZero();
    }

    private static void checkChunks(LayerIndex index, int inode) {
        long done = 0;
        for (int i = 0; i < index.chunkCount(inode); i++) {
            Chunk chunk = index.chunkAt(inode, i);
            assertThat(chunk.fileOffset()).isEqualTo(done);
            assertThat(index.chunk(inode, done)).isEqualTo(chunk);
            assertThat(index.chunk(inode, done + chunk.size() - 1)).isEqualTo(chunk);
            assertThat(chunk.blobEnd()).isGreaterThan(chunk.blobOffset());
            done += chunk.size();
        }
        assertThat(done).isEqualTo(index.size(inode));
    }

    @Provide
    Arbitrary<List<List<Object>>> hostile() {
        Arbitrary<String> name = Arbitraries.strings().withChars("ab./\0").ofMaxLength(6);
        Arbitrary<Long> number = Arbitraries.oneOf(
                Arbitraries.longs(), Arbitraries.longs().between(-2, 20), Arbitraries.of(Long.MAX_VALUE, Toc.DATA_END));
        return net.jqwik.api.Combinators.combine(
                        name, Arbitraries.of(EntryType.class), name, number, number, number, number, number)
                .as((a, type, link, size, at, inner, chunkAt, chunkSize) ->
                        List.<Object>of(a, type, link, size, at, inner, chunkAt, chunkSize))
                .list()
                .ofMaxSize(8);
    }

    @Property(tries = 2000)
    void whateverStandsThereIsTakenOrRefused(@ForAll("hostile") List<List<Object>> entries) throws IOException {
        Toc toc = new Toc();
        for (List<Object> e : entries) {
            toc.add(entry((String) e.get(0), (EntryType) e.get(1))
                    .link((String) e.get(2))
                    .size((Long) e.get(3))
                    .at((Long) e.get(4))
                    .inner((Long) e.get(5))
                    .chunk((Long) e.get(6), (Long) e.get(7)));
        }
        Path file = Files.createTempFile("layer", ".index");
        try (LayerIndex index = toc.build(file)) {
            collect(index, LayerIndex.ROOT, "", new TreeMap<>());
        } catch (InvalidArgumentException | dev.longshore.sdk.errors.ResourceExhaustedException refused) {
            assertThat(refused).hasMessageContaining("table of contents");
        } finally {
            Files.delete(file);
        }
    }
}
