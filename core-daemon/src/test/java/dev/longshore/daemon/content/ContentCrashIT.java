package dev.longshore.daemon.content;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.daemon.content.ContentProcess.Opened;
import dev.longshore.daemon.metadata.MetadataContentStore;
import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.NotFoundException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Blobs that were acknowledged survive kill -9, and what was under way goes on where it was. */
final class ContentCrashIT {

    private static final int ROUNDS = 8;

    /** Lines of the process before it is killed: at least, and how many more at random. */
    private static final int LINES = 10;

    private static final int MORE_LINES = 80;

    @TempDir
    private Path root;

    private final Set<String> acknowledged = new TreeSet<>();
    private int resumed;

    @Test
    void acknowledgedBlobsSurviveAndIngestsGoOn() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            Set<String> underWay = workUntilKilled("r" + round, LINES + random.nextInt(MORE_LINES));
            try (Opened opened = Opened.on(root)) {
                check(opened, underWay, "round %d, seed %d".formatted(round, seed));
            }
        }
        assertThat(resumed)
                .as("ingests that were resumed in their middle, seed %d", seed)
                .isPositive();
    }

    /** What had begun and was not acknowledged. */
    private Set<String> workUntilKilled(String prefix, int lines) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin/java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        ContentProcess.class.getName(),
                        root.toString(),
                        prefix)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        Set<String> underWay = new HashSet<>();
        try (BufferedReader output = process.inputReader()) {
            int read = 0;
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                String ref = line.substring(line.indexOf(' ') + 1);
                if (line.startsWith("done ")) {
                    acknowledged.add(ref);
                    underWay.remove(ref);
                } else {
                    underWay.add(ref);
                }
                if (++read == lines) {
                    kill(process);
                }
            }
        } finally {
            process.destroyForcibly();
            process.waitFor();
        }
        assertThat(underWay).isNotEmpty();
        return underWay;
    }

    /** Not by the JDK, which would close the stream: what the process said before must be read to its end. */
    private static void kill(Process process) throws IOException, InterruptedException {
        assertThat(new ProcessBuilder("kill", "-9", Long.toString(process.pid()))
                        .inheritIO()
                        .start()
                        .waitFor())
                .isZero();
    }

    private void check(Opened opened, Set<String> underWay, String when) throws IOException {
        ContentStore content = opened.content();
        for (String ref : acknowledged) {
            byte[] blob = ContentProcess.blob(ref);
            ContentInfo info = content.info(ContentProcess.CONTEXT, Digest.sha256(blob));
            assertThat(info.size()).as("size of %s, %s", ref, when).isEqualTo(blob.length);
            assertThat(info.labels()).isEqualTo(ContentProcess.labels(ref));
            assertThat(read(content, info)).as("%s, %s", ref, when).isEqualTo(blob);
        }
        for (String ref : underWay) {
            byte[] blob = ContentProcess.blob(ref);
            if (isThere(content, Digest.sha256(blob))) {
                continue; // committed, and killed before it could say so
            }
            content.statuses(ContentProcess.CONTEXT, List.of("ref==" + ref)).stream()
                    .mapToLong(IngestStatus::offset)
                    .filter(offset -> offset > 0)
                    .forEach(offset -> resumed++);
            Digest digest = ContentProcess.ingest(content, ref);
            assertThat(read(content, content.info(ContentProcess.CONTEXT, digest)))
                    .as("%s, %s", ref, when)
                    .isEqualTo(blob);
        }
        acknowledged.addAll(underWay);
        assertThat(content.statuses(ContentProcess.CONTEXT, List.of())).as(when).isEmpty();
        // Not even a commit that was killed between its two steps has left a blob that no row names.
        assertThat(((MetadataContentStore) content).removeGarbage(ContentProcess.CONTEXT))
                .as("blobs without a row after all was resumed, %s", when)
                .isZero();
        try (Stream<Path> ingests = Files.list(root.resolve("content/ingest"))) {
            assertThat(ingests).as(when).isEmpty();
        }
    }

    private static boolean isThere(ContentStore content, Digest digest) {
        try {
            return content.info(ContentProcess.CONTEXT, digest).digest().equals(digest);
        } catch (NotFoundException e) {
            return false;
        }
    }

    private static byte[] read(ContentStore content, ContentInfo info) {
        try (ContentReader reader = content.reader(ContentProcess.CONTEXT, info.digest())) {
            ByteBuffer buffer = ByteBuffer.allocate((int) info.size());
            while (buffer.hasRemaining()) {
                assertThat(reader.read(buffer, buffer.position())).isPositive();
            }
            return buffer.array();
        }
    }
}
