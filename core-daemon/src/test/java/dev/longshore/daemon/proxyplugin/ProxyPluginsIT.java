package dev.longshore.daemon.proxyplugin;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.sdk.snapshot.Usage;
import dev.longshore.transport.grpc.PluginAddress;
import dev.longshore.transport.grpc.UnixServer;
import dev.longshore.transport.grpc.UnixServer.SocketFile;
import dev.longshore.transport.serve.Backend;
import dev.longshore.transport.serve.PluginServer;
import dev.longshore.transport.serve.ServeOptions;
import dev.longshore.transport.serve.SnapshotsService;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProxyPluginsIT {

    private static final Usage USAGE = new Usage(3, 4096);

    @TempDir
    Path folder;

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final List<AutoCloseable> opened = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable resource : opened.reversed()) {
            resource.close();
        }
    }

    private <T extends AutoCloseable> T open(T resource) {
        opened.add(resource);
        return resource;
    }

    private Path socket(String id) {
        return folder.resolve(id + ".sock");
    }

    private ProxyPluginConfig config(String id, Duration timeout) {
        return new ProxyPluginConfig(
                id,
                ProxyPluginConfig.Type.SNAPSHOT,
                new PluginAddress.Unix(socket(id)),
                Optional.empty(),
                "",
                Map.of(),
                List.of(),
                timeout,
                ProxyPluginConfig.DEFAULT_HEALTH_INTERVAL,
                ProxyPluginConfig.DEFAULT_MAX_INFLIGHT);
    }

    private ProxyPlugins plugins(ProxyPluginConfig... configs) {
        ProxyPlugins plugins = open(new ProxyPlugins(Clock.systemUTC(), registry));
        List.of(configs).forEach(plugins::add);
        return plugins;
    }

    private ProxyPlugins plugins(String... ids) {
        return plugins(List.of(ids).stream()
                .map(id -> config(id, Duration.ofSeconds(30)))
                .toArray(ProxyPluginConfig[]::new));
    }

    private PluginServer serve(String id, Snapshotter snapshotter) throws IOException {
        return open(PluginServer.start(ServeOptions.of(socket(id)), Backend.of(snapshotter)));
    }

    /** A listener that nobody accepts from: connections are made, and nothing is ever said. */
    private ServerSocketChannel hang(String id) throws IOException {
        return open(
                ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket(id)), 64));
    }

    private static CallContext context() {
        return CallContext.of("default", Duration.ofSeconds(60));
    }

    private static Snapshotter snapshotter(ProxyPlugins plugins, String id) {
        return plugins.snapshotter(id).orElseThrow();
    }

    private static PluginHealth health(ProxyPlugins plugins, String id) {
        return requireNonNull(plugins.health().get(id));
    }

    private static Usage usage(ProxyPlugins plugins, String id) {
        return snapshotter(plugins, id).usage(context(), "k");
    }

    private static void awaitState(ProxyPlugins plugins, String id, PluginHealth.State state) {
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(health(plugins, id).state()).isEqualTo(state));
    }

    private static Duration time(Runnable body) {
        long start = System.nanoTime();
        body.run();
        return Duration.ofNanos(System.nanoTime() - start);
    }

    @Test
    void aPluginWhoseSocketIsAbsentIsNamedWithItsAddressAndRemedy() {
        ProxyPlugins plugins = plugins("a");
        assertThatThrownBy(() -> usage(plugins, "a"))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining("plugin a at " + socket("a"))
                .hasMessageContaining("its socket is not there");
    }

    @Test
    void aPluginThatComesLateIsUsedAtOnce() throws Exception {
        ProxyPlugins plugins = plugins("a");
        awaitState(plugins, "a", PluginHealth.State.UNREACHABLE);
        serve("a", new Answering());
        assertThat(usage(plugins, "a")).isEqualTo(USAGE);
        assertThat(health(plugins, "a").problem()).isEmpty();
    }

    @Test
    void aCallMadeWhileThePluginStartsWaitsForIt() throws Exception {
        ProxyPlugins plugins = plugins("a");
        CompletableFuture<Usage> call = CompletableFuture.supplyAsync(() -> usage(plugins, "a"));
        serve("a", new Answering());
        assertThat(call.get()).isEqualTo(USAGE);
    }

    @Test
    void aSocketThatADeadPluginLeftIsToldFromOneThatIsAbsent() throws Exception {
        hang("a").close();
        ProxyPlugins plugins = plugins("a");
        assertThatThrownBy(() -> usage(plugins, "a"))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining("nobody listens on its socket");
    }

    @Test
    void aPluginThatHangsIsRefusedAtOnceAndHarmsNoOther() throws Exception {
        hang("hanging");
        serve("working", new Answering());
        ProxyPlugins plugins = plugins("hanging", "working");

        awaitState(plugins, "hanging", PluginHealth.State.UNREACHABLE);
        Duration refusal = time(() -> assertThatThrownBy(() -> usage(plugins, "hanging"))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining("plugin hanging at " + socket("hanging"))
                .hasMessageContaining("stopped to answer"));
        assertThat(refusal).isLessThan(Duration.ofMillis(500));
        assertThat(usage(plugins, "working")).isEqualTo(USAGE);
        assertThat(health(plugins, "working").state()).isEqualTo(PluginHealth.State.READY);
    }

    @Test
    void aPluginThatHungIsUsedAgainWhenItAnswers() throws Exception {
        ServerSocketChannel hanging = hang("a");
        ProxyPlugins plugins = plugins("a");
        awaitState(plugins, "a", PluginHealth.State.UNREACHABLE);

        hanging.close();
        serve("a", new Answering());
        awaitState(plugins, "a", PluginHealth.State.READY);
        assertThat(usage(plugins, "a")).isEqualTo(USAGE);
    }

    @Test
    void aCallThatHangsEndsAtThePluginsTimeoutWhileOthersGoOn() throws Exception {
        try (Answering stuck = new Answering()) {
            serve("a", stuck);
            ProxyPlugins plugins = plugins(config("a", Duration.ofSeconds(1)));
            assertThat(usage(plugins, "a")).isEqualTo(USAGE);

            CompletableFuture<Void> hanging = CompletableFuture.runAsync(
                    () -> assertThatThrownBy(() -> snapshotter(plugins, "a").remove(context(), "stuck"))
                            .isInstanceOf(DeadlineExceededException.class)
                            .hasMessageContaining("plugin a at"));
            stuck.entered.acquire();
            assertThat(usage(plugins, "a")).isEqualTo(USAGE);
            hanging.get();
        }
    }

    @Test
    void aPluginThatSeemsWellButLeavesCallsWithoutAnAnswerIsSparedThemUntilItGivesOne() throws Exception {
        try (Answering stuck = new Answering()) {
            serve("a", stuck);
            ProxyPlugins plugins = plugins(config("a", Duration.ofMillis(300)));
            for (int i = 0; i < CircuitBreaker.FAILURES; i++) {
                assertThatThrownBy(() -> snapshotter(plugins, "a").remove(context(), "stuck"))
                        .isInstanceOf(DeadlineExceededException.class);
            }
            assertThat(health(plugins, "a").state()).isEqualTo(PluginHealth.State.DEGRADED);
            Duration refusal = time(() -> assertThatThrownBy(() -> usage(plugins, "a"))
                    .isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("plugin a at")
                    .hasMessageContaining("has left its last 5 calls without an answer"));
            assertThat(refusal).isLessThan(Duration.ofMillis(250));
            await().ignoreExceptionsInstanceOf(UnavailableException.class)
                    .untilAsserted(() -> assertThat(usage(plugins, "a")).isEqualTo(USAGE));
            assertThat(health(plugins, "a").state()).isEqualTo(PluginHealth.State.READY);
        }
    }

    @Test
    void whatWasWrongLastIsToldAfterwardsAndEachChangeIsTold() throws Exception {
        ProxyPlugins plugins = open(new ProxyPlugins(Clock.systemUTC(), registry));
        List<String> changes = new CopyOnWriteArrayList<>();
        plugins.listen(change ->
                changes.add(change.before().state() + ">" + change.now().state()));
        plugins.add(config("a", Duration.ofSeconds(30)));
        awaitState(plugins, "a", PluginHealth.State.UNREACHABLE);
        serve("a", new Answering());
        awaitState(plugins, "a", PluginHealth.State.READY);
        assertThat(changes).containsExactly("STARTING>UNREACHABLE", "UNREACHABLE>READY");
        assertThat(plugins.describe().getFirst().exports())
                .containsEntry("state", "ready")
                .hasEntrySatisfying("last_error", error -> assertThat(error).contains("its socket is not there"))
                .doesNotContainKey("problem");
    }

    @Test
    void aPluginThatDiesDuringACallFailsIt_AndItsSuccessorIsUsed() throws Exception {
        try (Answering stuck = new Answering()) {
            // Without a grace: as if it were killed.
            UnixServer first = UnixServer.start(
                    SocketFile.privateTo(socket("a")), List.of(new SnapshotsService(name -> stuck)), List.of());
            ProxyPlugins plugins = plugins("a");
            CompletableFuture<Void> hanging = CompletableFuture.runAsync(
                    () -> assertThatThrownBy(() -> snapshotter(plugins, "a").remove(context(), "stuck"))
                            .isInstanceOf(UnavailableException.class)
                            .hasMessageContaining("plugin a at"));
            stuck.entered.acquire();
            first.stop(Duration.ZERO);
            hanging.get();
            assertThat(stuck.removals).hasValue(1);

            serve("a", new Answering());
            assertThat(usage(plugins, "a")).isEqualTo(USAGE);
        }
    }

    @Test
    void aPluginRestartsWithoutAFailedCall() throws Exception {
        PluginServer first = serve("a", new Answering());
        ProxyPlugins plugins = plugins("a");
        assertThat(usage(plugins, "a")).isEqualTo(USAGE);
        first.close();
        CompletableFuture<Usage> between = CompletableFuture.supplyAsync(() -> usage(plugins, "a"));
        serve("a", new Answering());
        assertThat(between.get()).isEqualTo(USAGE);
    }

    /** Sooner than it would be asked how it is: its store may be another one all the same. */
    @Test
    void aPluginThatRestartsInAMomentIsSeenToArriveAgain() throws Exception {
        PluginServer first = serve("a", new Answering());
        ProxyPlugins plugins = open(new ProxyPlugins(Clock.systemUTC(), registry));
        AtomicInteger arrivals = new AtomicInteger();
        plugins.listen(change -> arrivals.addAndGet(change.isArrival() ? 1 : 0));
        plugins.add(config("a", Duration.ofSeconds(30)));
        await().atMost(Duration.ofSeconds(20)).until(() -> arrivals.get() == 1);
        first.close();
        serve("a", new Answering());
        await().atMost(Duration.ofSeconds(5)).until(() -> arrivals.get() == 2);
    }

    @Test
    void callsBeyondTheLimitAreRefusedWithoutWaiting() throws Exception {
        try (Answering stuck = new Answering();
                ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            serve("a", stuck);
            ProxyPlugins plugins = plugins("a");
            Snapshotter snapshotter = snapshotter(plugins, "a");
            for (int i = 0; i < 128; i++) {
                var _ = callers.submit(() -> snapshotter.remove(context(), "stuck"));
            }
            stuck.entered.acquire(128);
            assertThatThrownBy(() -> snapshotter.usage(context(), "k"))
                    .isInstanceOf(ResourceExhaustedException.class)
                    .hasMessageContaining("plugin a at");
            stuck.release.countDown();
            await().untilAsserted(
                            () -> assertThat(snapshotter.usage(context(), "k")).isEqualTo(USAGE));
        }
    }

    @Test
    void errorsOfThePluginKeepTheirClassAndCountInTheMetrics() throws Exception {
        serve("a", new Answering());
        ProxyPlugins plugins = plugins("a");
        assertThatThrownBy(() -> snapshotter(plugins, "a").stat(context(), "nothing"))
                .isInstanceOf(NotFoundException.class)
                .hasMessage("snapshot nothing");
        assertThat(registry.get("longshore.plugin.calls")
                        .tags("plugin", "a", "method", "stat", "result", "NOT_FOUND")
                        .counter()
                        .count())
                .isOne();
        assertThat(registry.get("longshore.plugin.call")
                        .tags("plugin", "a", "method", "stat")
                        .timer()
                        .count())
                .isOne();
        assertThat(registry.get("longshore.plugin.state")
                        .tags("plugin", "a", "state", "ready")
                        .gauge()
                        .value())
                .isOne();
        assertThat(registry.get("longshore.plugin.inflight").gauge().value()).isZero();
    }

    @Test
    void twoContentStoresAreRefused() {
        ProxyPluginConfig one = new ProxyPluginConfig("one", ProxyPluginConfig.Type.CONTENT, socket("one"));
        ProxyPluginConfig two = new ProxyPluginConfig("two", ProxyPluginConfig.Type.CONTENT, socket("two"));
        assertThatThrownBy(() -> plugins(one, two))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("one")
                .hasMessageContaining("two");
    }

    /** Knows one usage and no snapshot; a removal of "stuck" waits to be released. */
    private static final class Answering implements Snapshotter {

        final Semaphore entered = new Semaphore(0);
        final CountDownLatch release = new CountDownLatch(1);
        final AtomicInteger removals = new AtomicInteger();

        @Override
        public Usage usage(CallContext context, String key) {
            return USAGE;
        }

        @Override
        public SnapshotInfo stat(CallContext context, String key) {
            throw new NotFoundException("snapshot " + key);
        }

        @Override
        public void remove(CallContext context, String key) {
            removals.incrementAndGet();
            entered.release();
            try {
                release.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public SnapshotInfo update(CallContext context, SnapshotInfo info, List<String> fieldPaths) {
            return info;
        }

        @Override
        public List<Mount> mounts(CallContext context, String key) {
            return List.of();
        }

        @Override
        public List<Mount> prepare(CallContext context, String key, String parent, Map<String, String> labels) {
            return List.of();
        }

        @Override
        public List<Mount> view(CallContext context, String key, String parent, Map<String, String> labels) {
            return List.of();
        }

        @Override
        public void commit(
                CallContext context, String name, String key, Optional<String> parent, Map<String, String> labels) {}

        @Override
        public void list(CallContext context, List<String> filters, Consumer<SnapshotInfo> sink) {}

        @Override
        public void cleanup(CallContext context) {}

        @Override
        public void close() {
            release.countDown();
        }
    }
}
