package dev.longshore.content.ipfs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.NotFoundException;
import java.io.BufferedReader;
import java.io.IOException;
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

/** Blobs that were acknowledged survive kill -9, deleted ones are gone, and what was under way goes on where it was. */
final class StoreCrashIT {

    /** Of ingest, commit and, every third time, delete. */
    private static final int ROUNDS = 1000;

    /** Of one life: it says three lines a round. */
    private static final int LEAST_LINES = 100;

    private static final int MORE_LINES = 300;

    /** A blob of one worker: its worker and its number. */
    private record Name(int worker, int number) implements Comparable<Name> {

        static Name of(String line) {
            String[] words = line.split(" ");
            return new Name(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
        }

        byte[] bytes() {
            return StoreProcess.blob(worker, number);
        }

        @Override
        public int compareTo(Name other) {
            return worker != other.worker
                    ? Integer.compare(worker, other.worker)
                    : Integer.compare(number, other.number);
        }
    }

    @TempDir
    private Path root;

    private final Set<Name> acknowledged = new TreeSet<>();
    private final Set<Name> deleted = new TreeSet<>();
    private final Set<Name> underWay = new HashSet<>();
    private int kills;
    private int resumed;

    @Test
    void acknowledgedBlobsSurviveAThousandRounds() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        int rounds = 0;
        while (rounds < ROUNDS) {
            underWay.clear();
            int before = acknowledged.size();
            workUntilKilled(10_000 * kills, LEAST_LINES + random.nextInt(MORE_LINES));
            rounds += acknowledged.size() - before;
            kills++;
            check("kill %d, seed %d".formatted(kills, seed));
        }
        System.out.printf("%d rounds, %d kills, %d ingests resumed in their middle%n", rounds, kills, resumed);
        assertThat(kills).isGreaterThan(3);
        try (IpfsContentStore store = Stores.open(root)) {
            for (Name name : acknowledged) {
                if (find(store, name)) {
                    store.delete(Stores.CONTEXT, Digest.sha256(name.bytes()));
                }
            }
            assertThat(Stores.used(root))
                    .as("nothing is left when all is deleted")
                    .isZero();
        }
    }

    private void workUntilKilled(int first, int lines) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin/java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                        "-cp",
                        System.getProperty("java.class.path"),
                        StoreProcess.class.getName(),
                        root.toString(),
                        Integer.toString(first))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader output = process.inputReader()) {
            int read = 0;
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                Name name = Name.of(line);
                switch (line.substring(0, line.indexOf(' '))) {
                    case "begin" -> underWay.add(name);
                    case "done" -> {
                        underWay.remove(name);
                        acknowledged.add(name);
                    }
                    case "delete" -> underWay.add(name);
                    case "deleted" -> {
                        underWay.remove(name);
                        deleted.add(name);
                    }
                    default -> throw new AssertionError(line);
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
    }

    /** Not by the JDK, which would close the stream: what the process said before must be read to its end. */
    private static void kill(Process process) throws IOException, InterruptedException {
        assertThat(new ProcessBuilder("kill", "-9", Long.toString(process.pid()))
                        .inheritIO()
                        .start()
                        .waitFor())
                .isZero();
    }

    private void check(String when) throws IOException {
        Set<Name> known = new HashSet<>();
        try (IpfsContentStore store = Stores.open(root)) {
            for (IngestStatus status : store.statuses(Stores.CONTEXT, List.of())) {
                resumed += status.offset() > 0 ? 1 : 0;
            }
            for (Name name : underWay) {
                if (acknowledged.contains(name)) {
                    known.add(name); // being deleted: there or not
                } else {
                    StoreProcess.ingest(store, name.bytes(), name.worker() + "-" + name.number());
                    acknowledged.add(name);
                }
            }
            for (Name name : acknowledged) {
                if (deleted.contains(name)) {
                    assertThat(find(store, name))
                            .as("%s was deleted, %s", name, when)
                            .isFalse();
                } else if (!known.contains(name)) {
                    assertThat(Stores.read(store, Digest.sha256(name.bytes())))
                            .as("%s, %s", name, when)
                            .isEqualTo(name.bytes());
                } else if (!find(store, name)) {
                    deleted.add(name);
                }
            }
            assertThat(store.statuses(Stores.CONTEXT, List.of())).as(when).isEmpty();
        }
        try (Stream<Path> ingests = Files.list(new IpfsLayout(root).ingests())) {
            assertThat(ingests).as(when).isEmpty();
        }
    }

    private static boolean find(IpfsContentStore store, Name name) {
        try {
            ContentInfo info = store.info(Stores.CONTEXT, Digest.sha256(name.bytes()));
            return info.size() == name.bytes().length;
        } catch (NotFoundException e) {
            return false;
        }
    }
}
