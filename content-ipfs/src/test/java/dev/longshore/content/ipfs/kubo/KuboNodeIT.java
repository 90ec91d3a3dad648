package dev.longshore.content.ipfs.kubo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.Codec;
import dev.longshore.ipfs.DagReader;
import dev.longshore.ipfs.FileImporter;
import dev.longshore.ipfs.MissingBlockException;
import dev.longshore.sdk.context.Deadline;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With a real node, Kubo 0.40 or newer. */
class KuboNodeIT {

    @TempDir
    private static Path folder;

    private static Optional<KuboDaemon> started = Optional.empty();

    private final byte[] file = new byte[1_000_000];

    KuboNodeIT() {
        new Random(5).nextBytes(file);
    }

    @BeforeAll
    static void start() throws Exception {
        Optional<Path> program = KuboDaemon.program();
        assumeTrue(
                program.isPresent(),
                "skipped: there is no ipfs in PATH, and " + KuboDaemon.VARIABLE + " does not name one");
        started = Optional.of(KuboDaemon.start(program.orElseThrow(), folder.resolve("node")));
    }

    @AfterAll
    static void stop() throws InterruptedException {
        if (started.isPresent()) {
            started.get().close();
        }
    }

    private static KuboDaemon daemon() {
        return started.orElseThrow();
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(30));
    }

    private Cid send(KuboNode node, byte[] bytes) throws IOException {
        FileImporter importer = new FileImporter(new FileImporter.Sink() {
            @Override
            public void leaf(Cid cid, long offset, int length) throws IOException {
                node.put(cid, Arrays.copyOfRange(bytes, (int) offset, (int) offset + length), soon());
            }

            @Override
            public void node(Cid cid, byte[] block) throws IOException {
                node.put(cid, block, soon());
            }
        });
        importer.add(ByteBuffer.wrap(bytes));
        return importer.finish();
    }

    @Test
    void fileThatWasSentInBlocksIsTheNodesAndKeptWhilePinned() throws Exception {
        try (KuboNode node = new KuboNode(daemon().api())) {
            Cid root = send(node, file);
            Path original = Files.write(folder.resolve("original"), file);
            Path copy = folder.resolve("copy");
            assertThat(daemon().run("add", "--cid-version=1", "-Q", "--only-hash", original.toString()))
                    .isEqualTo(root.toString());
            node.pin(root, soon());
            node.pin(root, soon());
            daemon().run("repo", "gc", "-q");
            daemon().run("get", "-o", copy.toString(), root.toString());
            assertThat(copy).hasBinaryContent(file);
            assertThat(node.has(root, soon())).isTrue();

            node.unpin(root, soon());
            node.unpin(root, soon());
            daemon().run("repo", "gc", "-q");
            assertThat(node.has(root, soon())).isFalse();
            assertThatThrownBy(() -> node.get(root, soon()))
                    .isInstanceOf(MissingBlockException.class)
                    .hasMessageContaining("block " + root);
        }
    }

    @Test
    void fileThatTheNodeAddedIsReadAtAnyOffset() throws Exception {
        Path original = Files.write(folder.resolve("added"), file);
        for (String options : new String[] {"--cid-version=1", "--cid-version=0", "--chunker=size-1000000"}) {
            String cid = daemon().run("add", "-Q", options, original.toString());
            try (KuboNode node = new KuboNode(daemon().api())) {
                DagReader reader = new DagReader(node.verified(node.toString()), Cid.parse(cid), soon());
                assertThat(reader.size()).as(options).isEqualTo(file.length);
                ByteBuffer part = ByteBuffer.allocate(100_000);
                while (part.hasRemaining()) {
                    assertThat(reader.read(part, 250_000 + part.position(), soon()))
                            .as(options)
                            .isPositive();
                }
                assertThat(part.array()).as(options).isEqualTo(Arrays.copyOfRange(file, 250_000, 350_000));
            }
        }
    }

    @Test
    void pinOfWhatIsNotAllThereFailsAtOnce() throws Exception {
        byte[] other = file.clone();
        other[0]++;
        try (KuboNode node = new KuboNode(daemon().api())) {
            Cid root = send(node, other);
            daemon().run(
                            "block",
                            "rm",
                            Cid.of(Codec.RAW, Arrays.copyOf(other, FileImporter.CHUNK))
                                    .toString());
            assertThatThrownBy(() -> node.pin(root, soon()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("pin of " + root);
        }
    }

    @Test
    void nodeSaysWhoItIs() throws Exception {
        try (KuboNode node = new KuboNode(daemon().api())) {
            assertThat(node.identity(soon()).agent()).startsWith("kubo/");
            assertThat(daemon().run("id", "-f", "<id>"))
                    .isEqualTo(node.identity(soon()).id());
        }
    }

    @Test
    void nodeIsUsedAgainWhenItIsBack() throws Exception {
        byte[] small = {1, 2, 3};
        Cid cid = Cid.of(Codec.RAW, small);
        try (KuboDaemon other = KuboDaemon.start(KuboDaemon.program().orElseThrow(), folder.resolve("other"));
                KuboNode node = new KuboNode(other.api())) {
            String api = other.api().toString();
            node.put(cid, small, soon());
            node.pin(cid, soon());
            other.stop();
            assertThatThrownBy(() -> node.get(cid, soon())).hasMessageContaining("cannot be reached");
            other.run("config", "Addresses.API", api);
            other.start();
            assertThat(node.get(cid, soon())).isEqualTo(small);
        }
    }
}
