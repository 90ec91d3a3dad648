package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.proxy.ProxySnapshotter;
import io.grpc.ManagedChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAccumulator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Plugins that are frozen, killed, replaced, upgraded, added and removed while clients start and stop containers, in rounds of twenty: on a
 * snapshotter that nobody touches, where nothing may fail, and on the one that is harmed, where only its absence may.
 */
class PluginChaosIT {

    private static final String BUSYBOX = "docker.io/library/busybox:chaos";

    /** Containers on the snapshotter that nobody touches, in each round at least. */
    private static final int ROUND = 20;

    /** Clients at once: of the snapshotter that nobody touches, and of the one that is harmed. */
    private static final int SPARED = 4;

    private static final int HARMED = 2;

    /** Of the plugin that is harmed: what one call of it may take. */
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    /** For one call of the snapshotter that nobody touches, on a machine that has all hands full. */
    private static final Duration CALL = Duration.ofSeconds(10);

    /** A promise for a machine with time to spare, which {@link PluginLifeIT} holds to one second. */
    private static final Duration BACK_WITHIN = Duration.ofSeconds(3);

    /** Between the failure of a container and the next one, and between two looks at the snapshotter that nobody touches. */
    private static final Duration PAUSE = Duration.ofMillis(200);

    /** Labels of what the garbage collector is to leave alone. */
    private static final Map<String, String> KEPT = Map.of("containerd.io/gc.root", "yes");

    private static final Pattern ABSENT =
            Pattern.compile("plugin second at \\S+\\.sock\\b.*: (unavailable|context deadline exceeded)");

    private final AtomicInteger numbers = new AtomicInteger();
    private final AtomicInteger spared = new AtomicInteger();
    private final AtomicInteger harmed = new AtomicInteger();
    private final Map<String, AtomicInteger> failures = new ConcurrentHashMap<>();
    private final AtomicInteger looks = new AtomicInteger();
    private final LongAccumulator slowestContainer = new LongAccumulator(Math::max, 0);
    private final LongAccumulator slowestCall = new LongAccumulator(Math::max, 0);
    private final List<String> back = new ArrayList<>();

    private Suite suite;
    private UnixChannels channels;
    private ManagedChannel channel;
    private TestPlugin second;
    private TestPlugin third;
    private TestPlugin copy;

    @BeforeEach
    void up() {
        assumeFalse("containerd".equals(System.getProperty("longshore.peer")), "is about Longshore's own plugins");
        suite = Suite.up();
        channels = new UnixChannels();
        channel = channels.open(suite.address(), List.of());
        second = TestPlugin.overlay(suite, "second");
        third = TestPlugin.overlay(suite, "third");
        copy = TestPlugin.copy(suite, "copy");
        second.start();
        second.declare(TIMEOUT);
        suite.importBusybox(BUSYBOX);
        second.awaitState("ready");
    }

    @AfterEach
    void down() {
        if (channel != null) {
            channel.shutdownNow();
            channels.close();
        }
        for (TestPlugin plugin : new TestPlugin[] {second, third, copy}) {
            if (plugin != null) {
                plugin.close();
            }
        }
        if (suite != null) {
            suite.close();
        }
    }

    @Test
    void noContainerIsLostAndNoOtherBackendFails() throws Exception {
        long start = System.nanoTime();
        long daemon = suite.pid("longshored");
        Counter steady = Counter.start(suite, "overlayfs", BUSYBOX, "steady", 7);
        Counter onHarmed = Counter.start(suite, "second", BUSYBOX, "on-harmed", 8);
        second.through(channel).prepare(context(), "probe", "", KEPT);
        List<String> before = suite.ctr("snapshots", "ls").ok().lines();

        CountDownLatch over = new CountDownLatch(1);
        try (ExecutorService looking = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> looks = looking.submit(() -> {
                look(over);
                return true;
            });
            try {
                round(this::freezeAndAdd);
                round(this::kill);
                round(this::replace);
                round(this::upgrade);
                round(this::remove);
            } finally {
                over.countDown();
            }
            looks.get();
        }

        assertThat(suite.pid("longshored")).isEqualTo(daemon);
        steady.livesAndEnds();
        onHarmed.livesAndEnds();
        assertThat(suite.ctr("tasks", "ls", "-q").ok().lines()).isEmpty();
        assertThat(suite.ctr("snapshots", "ls").ok().lines()).containsExactlyInAnyOrderElementsOf(before);
        clearUpAfterFailures();
        System.out.printf(
                "plugin chaos: %d containers on the untouched snapshotter, none lost, the slowest in %d ms; %d calls of it, none failed,"
                        + " the slowest in %d ms; on the harmed one %d containers ran, failures: %s; used again: %s; %d s%n",
                spared.get(),
                slowestContainer.get(),
                looks.get(),
                slowestCall.get(),
                harmed.get(),
                failures,
                String.join(", ", back),
                Duration.ofNanos(System.nanoTime() - start).toSeconds());
        assertThat(failures).as("failures on a plugin that was away").isNotEmpty();
        assertThat(harmed.get())
                .as("containers that ran on the plugin that was harmed")
                .isPositive();
    }

    private static CallContext context() {
        return CallContext.of("default", CALL);
    }

    /** What is done to plugins in a round. */
    private interface Act {
        void run() throws Exception;
    }

    /** Has all clients make containers, one after the other, until there are enough of them and {@code act} is over. */
    private void round(Act act) throws Exception {
        AtomicInteger made = new AtomicInteger();
        CountDownLatch acted = new CountDownLatch(1);
        try (ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> ends = new ArrayList<>();
            for (int i = 0; i < SPARED; i++) {
                ends.add(clients.submit(() -> {
                    while (made.getAndIncrement() < ROUND || acted.getCount() > 0) {
                        runSpared();
                    }
                    return true;
                }));
            }
            for (int i = 0; i < HARMED; i++) {
                ends.add(clients.submit(() -> {
                    while (made.get() < ROUND || acted.getCount() > 0) {
                        runHarmed(acted);
                    }
                    return true;
                }));
            }
            try {
                act.run();
            } finally {
                acted.countDown();
            }
            for (Future<?> end : ends) {
                end.get();
            }
        }
    }

    private void runSpared() {
        long start = System.nanoTime();
        runOn("overlayfs");
        slowestContainer.accumulate(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start));
        spared.incrementAndGet();
    }

    /** A container that must say what it is to say and end with a code of its own. */
    private void runOn(String snapshotter) {
        int number = numbers.incrementAndGet();
        Ran ran = run(snapshotter, number).exitedWith(code(number));
        assertThat(ran.out()).isEqualTo(said(number));
        assertThat(ran.err()).as("what it said: %s", ran.command()).isEmpty();
    }

    /** Never 1, which is how a client says that it failed. */
    private static int code(int number) {
        return 2 + number % 100;
    }

    private static String said(int number) {
        return "this is " + number + "\n";
    }

    private Ran run(String snapshotter, int number) {
        return suite.ctr(
                "run",
                "--rm",
                "--snapshotter",
                snapshotter,
                BUSYBOX,
                "c" + number,
                "sh",
                "-c",
                "echo this is %d; exit %d".formatted(number, code(number)));
    }

    /** A container that may fail, and may be left over, but for no other reason than that its plugin is away. */
    private void runHarmed(CountDownLatch acted) throws InterruptedException {
        int number = numbers.incrementAndGet();
        Ran ran = run("second", number);
        Matcher absent = ABSENT.matcher(ran.err());
        boolean failed = absent.find();
        if (failed) {
            failures.computeIfAbsent(absent.group(1), _ -> new AtomicInteger()).incrementAndGet();
        } else {
            assertThat(ran.err()).as("what it said: %s", ran.command()).isEmpty();
        }
        if (ran.exit() == code(number)) {
            assertThat(ran.out()).isEqualTo(said(number));
            harmed.incrementAndGet();
        } else {
            assertThat(failed).as("failed because the plugin was away: %s", ran).isTrue();
        }
        if (failed) {
            boolean _ = acted.await(PAUSE.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    /** Makes snapshots by the snapshotter that nobody touches and removes them, again and again. */
    private void look(CountDownLatch over) throws InterruptedException {
        Snapshotter overlayfs = new ProxySnapshotter(channel, "overlayfs");
        do {
            String key = "look-" + looks.get();
            call(() -> overlayfs.prepare(context(), key, "", KEPT));
            call(() -> overlayfs.mounts(context(), key));
            call(() -> overlayfs.remove(context(), key));
        } while (!over.await(PAUSE.toMillis(), TimeUnit.MILLISECONDS));
    }

    private void call(Runnable call) {
        long start = System.nanoTime();
        call.run();
        slowestCall.accumulate(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start));
        looks.incrementAndGet();
    }

    private void isBack(String after) {
        Duration took = second.untilUsed(channel, "probe");
        back.add(after + " " + took.toMillis() + " ms");
        assertThat(took).as("until it was used again after %s", after).isLessThan(BACK_WITHIN);
    }

    /** Two are added while one is frozen, and are used. */
    private void freezeAndAdd() {
        second.signal("STOP");
        third.start();
        third.declare(TIMEOUT);
        copy.start();
        copy.declare(CALL);
        second.awaitState("unreachable");
        third.awaitState("ready");
        copy.awaitState("ready");
        runOn("third");
        runOn("copy");
        second.signal("CONT");
        isBack("SIGCONT");
    }

    private void kill() {
        second.end("KILL");
        second.awaitState("unreachable");
        second.start();
        second.awaitListening();
        isBack("kill -9 and a start");
    }

    /** The same snapshots, by a program at another address. */
    private void replace() {
        second.end("TERM");
        second.moveTo(suite.root().resolve("run/second-too.sock"));
        second.start();
        second.awaitListening();
        second.declare(TIMEOUT);
        isBack("a change of its address");
    }

    private void upgrade() {
        second.end("TERM");
        second.start();
        second.awaitListening();
        isBack("an upgrade in place");
    }

    /** Refused while they hold snapshots. */
    private void remove() {
        for (TestPlugin plugin : List.of(third, copy)) {
            runOn(plugin.name());
            plugin.undeclare();
            assertThat(suite.longshore("plugins", "reload").exitedWith(1).out()).contains("refused", plugin.name());
            runOn(plugin.name());
            removeSnapshots(plugin);
            suite.longshore("plugins", "reload").ok();
            assertThat(plugin.state()).isEqualTo("not there");
            plugin.end("TERM");
        }
    }

    /** Children before their parents. */
    private void removeSnapshots(TestPlugin plugin) {
        await().atMost(Programs.PATIENCE).until(() -> {
            List<String> keys = keys(plugin);
            keys.forEach(key -> suite.ctr("snapshots", "--snapshotter", plugin.name(), "rm", key));
            return keys.isEmpty();
        });
    }

    private List<String> keys(TestPlugin plugin) {
        return suite.ctr("snapshots", "--snapshotter", plugin.name(), "ls").ok().lines().stream()
                .skip(1)
                .map(line -> line.split("\\s+")[0])
                .toList();
    }

    /** Failed clients left containers and snapshots, all of which can be removed; the plugin keeps nothing that nobody knows of. */
    private void clearUpAfterFailures() throws Exception {
        for (String id : suite.ctr("containers", "ls", "-q").ok().lines()) {
            suite.ctr("containers", "delete", id).ok();
        }
        removeSnapshots(second);
        suite.ctr("leases", "create", "--id", "last").ok();
        suite.ctr("leases", "delete", "--sync", "last").ok();
        Path socket = second.socket();
        ManagedChannel direct = channels.open(socket, List.of());
        try {
            List<String> kept = new ArrayList<>();
            new ProxySnapshotter(direct, "").list(context(), List.of(), info -> kept.add(info.name()));
            assertThat(kept).as("snapshots at %s", socket).isEmpty();
        } finally {
            direct.shutdownNow();
        }
    }
}
