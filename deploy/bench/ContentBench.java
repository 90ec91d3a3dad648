import dev.longshore.content.ipfs.IpfsContentStore;
import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Times content stores without a socket between, side by side: {@code java -cp JARS ContentBench.java FOLDER ROUNDS}. c is the daemon's
 * local store, l is content-ipfs with its blocks on disk. A round is a turn of each side, every other round in the opposite order, on
 * folders of their own that are empty at first; the first round does not count. A turn prints
 *
 * <pre>SIDE OPERATION VALUE</pre>
 *
 * for {@code small}, {@code big}: microseconds to write 10,000 blobs of 1 to 8 KiB, by four callers, or one of 150 MB in pieces of 1 MiB;
 * {@code read-small}, {@code read-big}: to read them; {@code random}: the median of 20,000 reads of 4 KiB at random of the big one, in
 * nanoseconds; {@code again}: permille of the big blob's bytes on the disk that another takes which shares 90 % of its chunks.
 */
public final class ContentBench {

    private static final CallContext CONTEXT = CallContext.of("bench", Duration.ofMinutes(10));
    private static final int SMALL = 10_000;
    private static final int CALLERS = 4;
    private static final int BIG = 150_000_000;
    private static final int PIECE = 1 << 20;
    private static final int CHUNK = 256 << 10;
    private static final int READS = 20_000;

    private ContentBench() {}

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        int rounds = Integer.parseInt(arguments[1]);
        byte[] big = bytes(BIG, 1);
        byte[] again = big.clone();
        for (int chunk = 0; chunk < BIG / CHUNK; chunk += 10) {
            byte[] other = bytes(CHUNK, 2 + chunk);
            System.arraycopy(other, 0, again, chunk * CHUNK, CHUNK);
        }
        List<byte[]> small = new ArrayList<>();
        for (int i = 0; i < SMALL; i++) {
            small.add(bytes(1024 + new Random(i).nextInt(7168), i));
        }
        for (int round = 0; round <= rounds; round++) {
            for (String side : round % 2 == 0 ? List.of("c", "l") : List.of("l", "c")) {
                Path root = folder.resolve(side + round);
                try (ContentStore store = side.equals("c")
                        ? new LocalContentStore(root, Clock.systemUTC())
                        : IpfsContentStore.embedded(root, Clock.systemUTC())) {
                    turn(round == 0 ? "" : side, store, root, small, big, again);
                }
                remove(root);
            }
        }
    }

    private static void turn(String side, ContentStore store, Path root, List<byte[]> small, byte[] big, byte[] again)
            throws Exception {
        time(side, "small", () -> callers(caller -> {
            for (int i = caller; i < SMALL; i += CALLERS) {
                write(store, small.get(i));
            }
        }));
        time(side, "read-small", () -> callers(caller -> {
            for (int i = caller; i < SMALL; i += CALLERS) {
                read(store, Digest.sha256(small.get(i)));
            }
        }));
        time(side, "big", () -> write(store, big));
        Digest digest = Digest.sha256(big);
        time(side, "read-big", () -> read(store, digest));
        random(side, store, digest);
        long before = used(root);
        write(store, again);
        tell(side, "again", (used(root) - before) * 1000 / BIG);
    }

    private interface Step {
        void run() throws Exception;
    }

    private interface CallerStep {
        void run(int caller) throws Exception;
    }

    private static void callers(CallerStep step) throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Integer>> tasks = new ArrayList<>();
            for (int i = 0; i < CALLERS; i++) {
                int caller = i;
                tasks.add(() -> {
                    step.run(caller);
                    return caller;
                });
            }
            for (Future<Integer> task : threads.invokeAll(tasks)) {
                task.get();
            }
        }
    }

    private static void time(String side, String operation, Step step) throws Exception {
        long from = System.nanoTime();
        step.run();
        tell(side, operation, (System.nanoTime() - from) / 1000);
    }

    private static void tell(String side, String operation, long value) {
        if (!side.isEmpty()) {
            System.out.println(side + " " + operation + " " + value);
        }
    }

    private static void write(ContentStore store, byte[] bytes) {
        Digest digest = Digest.sha256(bytes);
        try (ContentWriter writer =
                store.writer(CONTEXT, new WriterRequest(digest.toString(), bytes.length, Optional.of(digest)))) {
            for (int offset = 0; offset < bytes.length; offset += PIECE) {
                writer.write(ByteBuffer.wrap(bytes, offset, Math.min(PIECE, bytes.length - offset)));
            }
            writer.commit(bytes.length, Optional.of(digest), Map.of());
        }
    }

    private static void read(ContentStore store, Digest digest) {
        ByteBuffer buffer = ByteBuffer.allocate(PIECE);
        try (ContentReader reader = store.reader(CONTEXT, digest)) {
            long position = 0;
            for (int count = 0; count >= 0; count = reader.read(buffer.clear(), position)) {
                position += count;
            }
            if (position != reader.size()) {
                throw new IllegalStateException("only " + position + " bytes");
            }
        }
    }

    private static void random(String side, ContentStore store, Digest digest) {
        Random random = new Random(7);
        long[] times = new long[READS];
        ByteBuffer buffer = ByteBuffer.allocate(4096);
        try (ContentReader reader = store.reader(CONTEXT, digest)) {
            for (int i = 0; i < READS; i++) {
                long offset = random.nextInt(BIG - 4096);
                long from = System.nanoTime();
                if (reader.read(buffer.clear(), offset) != 4096) {
                    throw new IllegalStateException("a read was short");
                }
                times[i] = System.nanoTime() - from;
            }
        }
        Arrays.sort(times);
        tell(side, "random", times[READS / 2]);
    }

    private static byte[] bytes(int size, long seed) {
        byte[] bytes = new byte[size];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    /** Bytes on the disk, holes not counted. */
    private static long used(Path root) throws IOException, InterruptedException {
        Process du = new ProcessBuilder("du", "-s", "--block-size=1", root.toString()).start();
        String line = new String(du.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        du.waitFor();
        return Long.parseLong(line.substring(0, line.indexOf('\t')));
    }

    private static void remove(Path root) throws IOException {
        List<Path> all = new ArrayList<>();
        try (var files = Files.walk(root)) {
            files.forEach(all::add);
        }
        Collections.reverse(all);
        for (Path path : all) {
            Files.delete(path);
        }
    }
}
