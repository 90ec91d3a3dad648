package dev.longshore.overlay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What was acknowledged survives kill -9, and what was not is all there or not there at all. */
final class OverlayCrashIT {

    private static final int ROUNDS = 6;
    private static final int WORKERS = 4;

    /** Acknowledged calls of a round before the program is killed: at least, and how many more at random. */
    private static final int CALLS = 20;

    private static final int MORE_CALLS = 120;

    private static final String LABEL = "containerd.io/snapshot/crash";

    @TempDir
    private Path folder;

    /** What must be there, by key or name. */
    private final Map<String, Expected> expected = new ConcurrentHashMap<>();

    /** Calls that were under way: any of these keys and names may be there or not. */
    private final Set<String> uncertain = ConcurrentHashMap.newKeySet();

    /** What was mounted once already. */
    private final Set<String> usable = new HashSet<>();

    private record Expected(Kind kind, String parent, String label) {}

    @Test
    void whatWasAcknowledgedSurvivesKill() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            try (OverlayProcess overlay = OverlayProcess.start(folder)) {
                check(overlay.snapshotter(), "round %d, seed %d".formatted(round, seed));
                workUntilKilled(overlay, round, random);
            }
        }
        try (OverlayProcess overlay = OverlayProcess.start(folder)) {
            usable.clear();
            check(overlay.snapshotter(), "at last, seed " + seed);
            assertThat(overlay.terminate()).as("exit code after SIGTERM").isEqualTo(143);
        }
        try (OverlayProcess overlay = OverlayProcess.start(folder)) {
            check(overlay.snapshotter(), "after an orderly end, seed " + seed);
        }
    }

    private void workUntilKilled(OverlayProcess overlay, int round, Random random) throws Exception {
        CountDownLatch calls = new CountDownLatch(CALLS + random.nextInt(MORE_CALLS));
        try (ExecutorService workers = Executors.newFixedThreadPool(WORKERS)) {
            List<Future<?>> running = new ArrayList<>();
            for (int worker = 0; worker < WORKERS; worker++) {
                String prefix = "r%d-w%d-".formatted(round, worker);
                Random own = new Random(random.nextLong());
                running.add(workers.submit(() -> work(overlay.snapshotter(), prefix, own, calls)));
            }
            calls.await();
            overlay.kill();
            for (Future<?> worker : running) {
                worker.get();
            }
        }
    }

    /** Works on snapshots of its own until a call fails, which it does when the program is killed. */
    private void work(Snapshotter snapshotter, String prefix, Random random, CountDownLatch calls) {
        String under = "";
        for (int i = 0; ; i++) {
            String key = prefix + i;
            String name = key + "-committed";
            String parent = under;
            boolean view = random.nextInt(4) == 0;
            boolean commit = !view && random.nextInt(3) > 0;
            boolean remove = !commit && random.nextBoolean();
            try {
                uncertain.add(key);
                List<Mount> mounts = view
                        ? snapshotter.view(context(), key, parent, Map.of(LABEL, key))
                        : snapshotter.prepare(context(), key, parent, Map.of(LABEL, key));
                acknowledge(key, new Expected(view ? Kind.VIEW : Kind.ACTIVE, parent, key), calls);
                if (commit) {
                    Files.writeString(upper(mounts).resolve(name), name);
                    uncertain.addAll(List.of(key, name));
                    snapshotter.commit(context(), name, key, Optional.empty(), Map.of(LABEL, name));
                    expected.remove(key);
                    acknowledge(name, new Expected(Kind.COMMITTED, parent, name), calls);
                    under = random.nextInt(5) == 0 ? "" : name;
                }
                if (remove) {
                    uncertain.add(key);
                    snapshotter.remove(context(), key);
                    expected.remove(key);
                    uncertain.remove(key);
                    calls.countDown();
                }
            } catch (ContainerdException e) {
                return;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private void acknowledge(String key, Expected what, CountDownLatch calls) {
        expected.put(key, what);
        uncertain.remove(key);
        calls.countDown();
    }

    private static Path upper(List<Mount> mounts) {
        Mount mount = mounts.getFirst();
        return Path.of(mount.options().stream()
                .filter(option -> option.startsWith("upperdir="))
                .map(option -> option.substring("upperdir=".length()))
                .findFirst()
                .orElse(mount.source()));
    }

    private void check(Snapshotter snapshotter, String when) throws IOException {
        Map<String, SnapshotInfo> listed = new TreeMap<>();
        snapshotter.list(context(), List.of(), info -> listed.put(info.name(), info));

        expected.forEach((key, what) -> {
            SnapshotInfo info = listed.get(key);
            if (info == null) {
                assertThat(uncertain).as("%s: %s is gone", when, key).contains(key);
            } else {
                assertThat(new Expected(
                                info.kind(),
                                info.parent(),
                                String.valueOf(info.labels().get(LABEL))))
                        .as("%s: %s", when, key)
                        .isEqualTo(what);
            }
        });
        assertThat(listed.keySet()).as(when).allMatch(key -> expected.containsKey(key) || uncertain.contains(key));
        assertThat(uncertain.stream().filter(key -> key.endsWith("-committed")))
                .as("%s: a commit is done or not", when)
                .allMatch(name -> listed.containsKey(name) != listed.containsKey(name.replace("-committed", "")));
        for (SnapshotInfo info : listed.values()) {
            if (usable.add(info.name())) {
                checkUsable(snapshotter, info, listed);
            }
        }
        snapshotter.cleanup(context());
        try (Stream<Path> folders = Files.list(folder.resolve("root/snapshots"))) {
            assertThat(folders).as("%s: no folder is left over", when).hasSize(listed.size());
        }
        // From here on it is known.
        uncertain.clear();
        expected.clear();
        listed.forEach((key, info) -> expected.put(
                key,
                new Expected(
                        info.kind(), info.parent(), String.valueOf(info.labels().get(LABEL)))));
    }

    private void checkUsable(Snapshotter snapshotter, SnapshotInfo info, Map<String, SnapshotInfo> all)
            throws IOException {
        List<Mount> mounts = info.kind() == Kind.COMMITTED
                ? snapshotter.view(context(), "check", info.name(), Map.of())
                : snapshotter.mounts(context(), info.name());
        Set<String> files = Mounts.withTempMount(mounts, folder, root -> {
            try (Stream<Path> paths = Files.list(root)) {
                return paths.map(path -> path.getFileName().toString()).collect(Collectors.toSet());
            }
        });
        if (info.kind() == Kind.COMMITTED) {
            snapshotter.remove(context(), "check");
        }
        String ancestor = info.kind() == Kind.COMMITTED ? info.name() : info.parent();
        while (!ancestor.isEmpty()) {
            assertThat(files).contains(ancestor);
            ancestor = Objects.requireNonNull(all.get(ancestor), ancestor).parent();
        }
    }

    private static CallContext context() {
        return CallContext.of("crash", Duration.ofSeconds(30));
    }
}
