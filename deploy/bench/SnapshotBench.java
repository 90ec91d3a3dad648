import dev.longshore.api.services.leases.v1.CreateRequest;
import dev.longshore.api.services.leases.v1.DeleteRequest;
import dev.longshore.api.services.leases.v1.LeasesGrpc;
import dev.longshore.api.services.snapshots.v1.CleanupRequest;
import dev.longshore.api.services.snapshots.v1.CommitSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.MountsRequest;
import dev.longshore.api.services.snapshots.v1.PrepareSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.RemoveSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.SnapshotsGrpc;
import dev.longshore.api.services.snapshots.v1.SnapshotsGrpc.SnapshotsBlockingStub;
import dev.longshore.transport.grpc.UnixChannels;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Times snapshots over sockets, side by side: {@code java -cp JARS SnapshotBench.java SECONDS ROUNDS SIDE...}, where a side is {@code
 * NAME=daemon:SOCKET} for anything that serves containerd's API, or {@code NAME=plugin:SOCKET} for a snapshotter without a daemon.
 *
 * <p>A caller goes through cycles of Prepare on a committed parent, Mounts, Commit and Remove. For 1, 8 and 64 callers: a turn of each
 * side that does not count, then rounds of a turn of each side, every other round in the opposite order, as many as fit into a third of
 * {@code SECONDS} and at most {@code ROUNDS}. A turn prints a line per operation, and one for the whole:
 *
 * <pre>CALLERS ROUND SIDE OPERATION COUNT PER-SECOND P50 P99</pre>
 *
 * with latencies in microseconds.
 *
 * <p>Garbage: everything of a turn is held by a lease, so that no collector takes what is in use; what was removed is garbage at once, and
 * both daemons collect it by their own rules, which belongs to what is timed. After a turn, outside of the time, its lease is deleted and
 * the answer waits for a whole collection (a plugin is asked to clean up), so that each turn begins with nothing left.
 */
public final class SnapshotBench implements AutoCloseable {

    private static final String NAMESPACE = "bench-snapshots";
    private static final String SNAPSHOTTER = "overlayfs";
    private static final String BASE = "bench-base";
    private static final List<Integer> CALLERS = List.of(1, 8, 64);
    private static final List<String> OPERATIONS = List.of("prepare", "mounts", "commit", "remove");
    private static final int MAX_CHANNELS = 4;
    private static final int CALL_SECONDS = 20;

    /** Of all callers in a turn: enough for a 99th percentile that is not the worst call. */
    private static final int MIN_CYCLES = 300;

    private static final int CYCLES_OF_A_CALLER = 15;

    private final UnixChannels unix = new UnixChannels();
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final List<Side> sides = new ArrayList<>();

    private record Side(String name, boolean daemon, List<ManagedChannel> channels) {

        SnapshotsBlockingStub snapshots(int caller, String lease) {
            return headed(SnapshotsGrpc.newBlockingStub(channels.get(caller % channels.size())), lease);
        }

        LeasesGrpc.LeasesBlockingStub leases() {
            return headed(LeasesGrpc.newBlockingStub(channels.getFirst()), "")
                    .withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
        }
    }

    private SnapshotBench() {}

    public static void main(String[] arguments) throws Exception {
        long seconds = Long.parseLong(arguments[0]);
        int rounds = Integer.parseInt(arguments[1]);
        try (SnapshotBench bench = new SnapshotBench()) {
            for (String side : Arrays.asList(arguments).subList(2, arguments.length)) {
                bench.open(side);
            }
            for (int callers : CALLERS) {
                bench.run(callers, rounds, TimeUnit.SECONDS.toNanos(seconds) / CALLERS.size());
            }
            for (Side side : bench.sides) {
                remove(side.snapshots(0, ""), BASE);
            }
        }
    }

    private void open(String argument) {
        String[] parts = argument.split("[=:]", 3);
        boolean daemon = parts[1].equals("daemon");
        if (!daemon && !parts[1].equals("plugin")) {
            throw new IllegalArgumentException(argument + ": want NAME=daemon:SOCKET or NAME=plugin:SOCKET");
        }
        List<ManagedChannel> channels = IntStream.range(0, MAX_CHANNELS)
                .mapToObj(i -> unix.open(Path.of(parts[2]), List.of()))
                .toList();
        Side side = new Side(parts[0], daemon, channels);
        sides.add(side);
        String lease = begin(side, "base");
        SnapshotsBlockingStub stub = side.snapshots(0, lease);
        prepare(stub, "base-active", "");
        var commit = CommitSnapshotRequest.newBuilder()
                .setSnapshotter(SNAPSHOTTER)
                .setName(BASE)
                .setKey("base-active")
                .putLabels("containerd.io/gc.root", "bench");
        var _ = timed(stub).commit(commit.build());
        end(side, lease);
    }

    private void run(int callers, int rounds, long nanos) throws Exception {
        long start = System.nanoTime();
        for (Side side : sides) {
            turn(side, callers, 0);
        }
        long longest = 0;
        for (int round = 1; round <= rounds; round++) {
            long from = System.nanoTime();
            if (round > 1 && from - start + longest > nanos) {
                return;
            }
            for (Side side : round % 2 == 1 ? sides : sides.reversed()) {
                turn(side, callers, round);
            }
            longest = Math.max(longest, System.nanoTime() - from);
        }
    }

    /** @param round 0 for one that does not count */
    private void turn(Side side, int callers, int round) throws Exception {
        String lease = begin(side, "turn-%d-%d".formatted(callers, round));
        int cycles = Math.max(MIN_CYCLES / callers, CYCLES_OF_A_CALLER);
        List<Callable<long[][]>> work = IntStream.range(0, callers)
                .<Callable<long[][]>>mapToObj(caller -> () -> cycles(
                        side.snapshots(caller, lease), "%d-%d-%d".formatted(callers, round, caller), cycles))
                .toList();
        long from = System.nanoTime();
        List<long[][]> results = new ArrayList<>();
        for (Future<long[][]> result : threads.invokeAll(work)) {
            results.add(result.get());
        }
        double took = (System.nanoTime() - from) / 1e9;
        end(side, lease);
        if (round == 0) {
            return;
        }
        String turn = "%d %d %s".formatted(callers, round, side.name);
        for (int i = 0; i < OPERATIONS.size(); i++) {
            int operation = i;
            print(turn, OPERATIONS.get(i), results.stream().flatMapToLong(r -> Arrays.stream(r[operation])), took);
        }
        print(turn, "all", results.stream().flatMap(Arrays::stream).flatMapToLong(Arrays::stream), took);
    }

    private static void print(String turn, String operation, LongStream nanos, double took) {
        long[] sorted = nanos.sorted().toArray();
        System.out.printf(
                Locale.ROOT,
                "%s %s %d %.1f %.0f %.0f%n",
                turn,
                operation,
                sorted.length,
                sorted.length / took,
                at(sorted, 0.5) / 1e3,
                at(sorted, 0.99) / 1e3);
    }

    private static double at(long[] sorted, double quantile) {
        return sorted[(int) Math.ceil(quantile * sorted.length) - 1];
    }

    /** Nanoseconds of each call, by operation. */
    private static long[][] cycles(SnapshotsBlockingStub stub, String prefix, int count) {
        long[][] nanos = new long[OPERATIONS.size()][count];
        for (int i = 0; i < count; i++) {
            String key = prefix + "-" + i;
            String name = key + "-committed";
            long start = System.nanoTime();
            prepare(stub, key, BASE);
            long prepared = System.nanoTime();
            var _ = timed(stub)
                    .mounts(MountsRequest.newBuilder()
                            .setSnapshotter(SNAPSHOTTER)
                            .setKey(key)
                            .build());
            long mounted = System.nanoTime();
            var _ = timed(stub)
                    .commit(CommitSnapshotRequest.newBuilder()
                            .setSnapshotter(SNAPSHOTTER)
                            .setName(name)
                            .setKey(key)
                            .build());
            long committed = System.nanoTime();
            remove(stub, name);
            long removed = System.nanoTime();
            nanos[0][i] = prepared - start;
            nanos[1][i] = mounted - prepared;
            nanos[2][i] = committed - mounted;
            nanos[3][i] = removed - committed;
        }
        return nanos;
    }

    private static void prepare(SnapshotsBlockingStub stub, String key, String parent) {
        var _ = timed(stub)
                .prepare(PrepareSnapshotRequest.newBuilder()
                        .setSnapshotter(SNAPSHOTTER)
                        .setKey(key)
                        .setParent(parent)
                        .build());
    }

    private static void remove(SnapshotsBlockingStub stub, String key) {
        var _ = timed(stub)
                .remove(RemoveSnapshotRequest.newBuilder()
                        .setSnapshotter(SNAPSHOTTER)
                        .setKey(key)
                        .build());
    }

    private static SnapshotsBlockingStub timed(SnapshotsBlockingStub stub) {
        return stub.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
    }

    /** The id of a lease for what comes; empty for a plugin, which knows none. */
    private static String begin(Side side, String id) {
        if (!side.daemon) {
            return "";
        }
        var _ = side.leases().create(CreateRequest.newBuilder().setId(id).build());
        return id;
    }

    /** Has everything removed that nobody needs any more, and waits for it. */
    private static void end(Side side, String lease) {
        if (side.daemon) {
            var _ = side.leases()
                    .delete(DeleteRequest.newBuilder().setId(lease).setSync(true).build());
        } else {
            var _ = timed(side.snapshots(0, ""))
                    .cleanup(CleanupRequest.newBuilder()
                            .setSnapshotter(SNAPSHOTTER)
                            .build());
        }
    }

    private static <S extends AbstractStub<S>> S headed(S stub, String lease) {
        Metadata headers = new Metadata();
        headers.put(Metadata.Key.of("containerd-namespace", Metadata.ASCII_STRING_MARSHALLER), NAMESPACE);
        if (!lease.isEmpty()) {
            headers.put(Metadata.Key.of("containerd-lease", Metadata.ASCII_STRING_MARSHALLER), lease);
        }
        return stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
    }

    @Override
    public void close() {
        threads.shutdownNow();
        sides.forEach(side -> side.channels.forEach(ManagedChannel::shutdownNow));
        unix.close();
    }
}
