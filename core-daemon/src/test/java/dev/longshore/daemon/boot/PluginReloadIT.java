package dev.longshore.daemon.boot;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.daemon.boot.ConfigReader.Overrides;
import dev.longshore.daemon.event.EventExchange;
import dev.longshore.daemon.event.Subscription;
import dev.longshore.daemon.metadata.MapSnapshotter;
import dev.longshore.daemon.metadata.MetadataStore;
import dev.longshore.daemon.plugin.Plugin;
import dev.longshore.daemon.plugin.ReloadReport;
import dev.longshore.daemon.plugin.ReloadReport.Action;
import dev.longshore.daemon.proxyplugin.PluginHealth;
import dev.longshore.daemon.proxyplugin.ProxyPlugins;
import dev.longshore.daemon.service.EventProtos;
import dev.longshore.daemon.service.EventPublisher;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.transport.serve.Backend;
import dev.longshore.transport.serve.PluginServer;
import dev.longshore.transport.serve.ServeOptions;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Plugins that come, change and go while the daemon runs. */
class PluginReloadIT {

    private final CallContext context = CallContext.of("default", Duration.ofMinutes(1));
    private final List<AutoCloseable> opened = new ArrayList<>();

    @TempDir
    Path folder;

    private ConfigSource source;
    private ProxyPlugins plugins;
    private Snapshotters snapshotters;
    private LostSnapshots lost;
    private PluginReload reload;

    private <T extends AutoCloseable> T open(T resource) {
        opened.add(resource);
        return resource;
    }

    @BeforeEach
    void start() throws Exception {
        Files.createDirectory(folder.resolve("conf.d"));
        Files.writeString(folder.resolve("config.toml"), "oom_score = 0\n");
        plugin("first", socket("first"));
        source = new ConfigSource(Optional.of(folder.resolve("config.toml")), Overrides.NONE);
        Config config = source.read().config();
        Clock clock = Clock.systemUTC();
        MetadataStore metadata =
                open(MetadataStore.open(Files.createDirectory(folder.resolve("meta")), clock, leavesGarbage -> {}));
        plugins = open(new ProxyPlugins(clock, new SimpleMeterRegistry()));
        EventPublisher events = new EventPublisher(new EventExchange(clock, EventProtos::fields));
        snapshotters = new Snapshotters(plugins, metadata, events);
        lost = new LostSnapshots(plugins, snapshotters);
        plugins.listen(lost::pluginChanged);
        PluginReload.enabled(config, List.of()).values().forEach(plugins::add);
        Differs differs = new Differs(plugins::applier, plugins::comparer, Optional.empty(), config.differs());
        reload = new PluginReload(source, config, plugins, snapshotters, differs);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable resource : opened.reversed()) {
            resource.close();
        }
    }

    private Path socket(String name) {
        return folder.resolve(name + ".sock");
    }

    private Path file(String name) {
        return folder.resolve("conf.d/" + name + ".toml");
    }

    /** Declares a snapshotter. */
    private void plugin(String name, Path socket) throws IOException {
        Files.writeString(file(name), """
                [proxy_plugins.%s]
                type = "snapshot"
                address = "%s"
                """.formatted(name, socket));
    }

    private MapSnapshotter serve(String socket) throws IOException {
        MapSnapshotter snapshotter = new MapSnapshotter();
        open(PluginServer.start(ServeOptions.of(socket(socket)), Backend.of(snapshotter)));
        return snapshotter;
    }

    private void prepare(String snapshotter, String key) {
        snapshotters.served(snapshotter).prepare(context, key, "", Map.of());
    }

    private static void did(ReloadReport report, String plugin, Action action) {
        assertThat(report.changes())
                .extracting(change -> change.plugin() + " " + change.action())
                .containsExactly("io.containerd.snapshotter.v1." + plugin + " " + action);
    }

    private Plugin described(String name) {
        return plugins.describe().stream()
                .filter(plugin -> plugin.id().equals(name))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void nothingIsSaidOfWhatIsAsItWas() {
        assertThat(reload.reload()).isEqualTo(new ReloadReport(List.of(), List.of(), List.of()));
    }

    @Test
    void aPluginThatIsAddedIsUsedAtOnceAndTheOthersGoOn() throws Exception {
        serve("first");
        serve("second");
        prepare("first", "a");
        assertThatThrownBy(() -> prepare("second", "a"))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("there is first");
        plugin("second", socket("second"));
        did(reload.reload(), "second", Action.ADDED);
        prepare("second", "a");
        prepare("first", "b");
    }

    @Test
    void aPluginThatMovesIsCalledAtItsNewAddressAndKnowsItsSnapshots() throws Exception {
        MapSnapshotter store = serve("first");
        prepare("first", "a");
        open(PluginServer.start(ServeOptions.of(socket("moved")), Backend.of(store)));
        plugin("first", socket("moved"));
        did(reload.reload(), "first", Action.CHANGED);
        assertThat(snapshotters.served("first").usage(context, "a")).isNotNull();
        assertThat(described("first").exports())
                .containsEntry("address", socket("moved").toString());
    }

    @Test
    void aCallUnderWayEndsAsItBeganWhenItsPluginMoves() throws Exception {
        Semaphore entered = new Semaphore(0);
        CountDownLatch release = new CountDownLatch(1);
        MapSnapshotter slow = new MapSnapshotter() {
            @Override
            public List<dev.longshore.sdk.mount.Mount> prepare(
                    CallContext call, String key, String parent, Map<String, String> labels) {
                entered.release();
                try {
                    release.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                return super.prepare(call, key, parent, labels);
            }
        };
        open(PluginServer.start(ServeOptions.of(socket("first")), Backend.of(slow)));
        serve("moved");
        CompletableFuture<Void> call = CompletableFuture.runAsync(() -> prepare("first", "a"));
        entered.acquire();
        plugin("first", socket("moved"));
        did(reload.reload(), "first", Action.CHANGED);
        prepare("first", "b");
        release.countDown();
        call.get();
    }

    @Test
    void aPluginThatIsRemovedIsNoLongerThere() throws Exception {
        Files.delete(file("first"));
        plugin("second", socket("second"));
        assertThat(reload.reload().changes())
                .extracting(ReloadReport.Change::action)
                .containsExactly(Action.REMOVED, Action.ADDED);
        assertThatThrownBy(() -> prepare("first", "a")).isInstanceOf(NotFoundException.class);
        assertThat(plugins.describe()).extracting(Plugin::id).containsExactly("second");
    }

    @Test
    void theRemovalOfOneThatHoldsSnapshotsIsRefusedWithTheListAndItStays() throws Exception {
        serve("first");
        for (int i = 10; i < 25; i++) {
            prepare("first", "snapshot-" + i);
        }
        Files.delete(file("first"));
        plugin("second", socket("second"));
        ReloadReport report = reload.reload();
        assertThat(report.changes().getFirst().action()).isEqualTo(Action.REFUSED);
        assertThat(report.changes().getFirst().reason())
                .contains("15 snapshots", "default/snapshot-10", "default/snapshot-19", "...")
                .doesNotContain("snapshot-20");
        assertThat(described("first").exports().get("removal")).contains("refused", "15 snapshots");
        prepare("first", "another");

        for (int i = 10; i < 25; i++) {
            snapshotters.served("first").remove(context, "snapshot-" + i);
        }
        snapshotters.served("first").remove(context, "another");
        did(reload.reload(), "first", Action.REMOVED);
    }

    @Test
    void theNoteOfARefusedRemovalGoesWhenThePluginIsConfiguredAgain() throws Exception {
        serve("first");
        prepare("first", "a");
        Files.delete(file("first"));
        plugin("second", socket("second"));
        reload.reload();
        plugin("first", socket("first"));
        assertThat(reload.reload().changes()).isEmpty();
        assertThat(described("first").exports()).doesNotContainKey("removal");
    }

    @Test
    void aBrokenFileChangesNothingAndSaysWhyAndWhere() throws Exception {
        serve("first");
        plugin("second", socket("second"));
        Files.writeString(file("broken"), "[proxy_plugins.x]\ntype = \"snapshot\"\naddress = relative\n");
        assertThatThrownBy(() -> reload.reload())
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(file("broken") + ":3:");
        Files.writeString(file("broken"), "[proxy_plugins.x]\ntype = \"snapshots\"\naddress = \"/x.sock\"\n");
        assertThatThrownBy(() -> reload.reload())
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(file("broken") + ":2:1")
                .hasMessageContaining("unknown proxy plugin type");
        assertThat(plugins.describe()).extracting(Plugin::id).containsExactly("first");
        prepare("first", "a");
    }

    @Test
    void otherKeysThatHaveChangedNeedARestart() throws Exception {
        Files.writeString(folder.resolve("config.toml"), """
                oom_score = 7
                [debug]
                level = "debug"
                """);
        assertThat(reload.reload().needsRestart()).containsExactly("debug", "oom_score");
    }

    @Test
    void anotherContentStoreNeedsARestart() throws Exception {
        Files.writeString(file("content"), """
                [proxy_plugins.blobs]
                type = "content"
                address = "%s"
                """.formatted(socket("blobs")));
        assertThat(reload.reload().changes().getFirst())
                .satisfies(change -> assertThat(change.action()).isEqualTo(Action.REFUSED))
                .satisfies(change -> assertThat(change.reason()).contains("restart"));
    }

    @Test
    void aFolderOfImportsIsWatchedAlsoWhenItComesLater() throws Exception {
        Path later = folder.resolve("later/conf.d");
        Semaphore told = new Semaphore(0);
        open(new ConfigWatch(List.of(later.resolve("*.toml")), why -> told.release()));
        Files.createDirectories(later);
        told.acquire();
        Files.writeString(later.resolve("a.toml"), "");
        told.acquire();
        Files.delete(later.resolve("a.toml"));
        told.acquire();
    }

    @Test
    void whatChangesBesideAWatchedFolderDoesNotMatter() throws Exception {
        Semaphore told = new Semaphore(0);
        open(new ConfigWatch(List.of(folder.resolve("conf.d/*.toml")), why -> told.release()));
        Files.writeString(folder.resolve("beside"), "");
        Files.writeString(file("within"), "");
        told.acquire();
        assertThat(told.availablePermits()).isZero();
    }

    @Test
    void sigHupIsForReloading() throws Exception {
        String ignored = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("SigIgn:"))
                .findFirst()
                .orElseThrow();
        assumeTrue(ignored.matches(".*[02468ace]"), "SIGHUP is ignored here: run the tests without nohup");
        Semaphore told = new Semaphore(0);
        HangUp.handle(told::release);
        Process kill = new ProcessBuilder(
                        "kill", "-HUP", String.valueOf(ProcessHandle.current().pid()))
                .start();
        assertThat(kill.waitFor()).isZero();
        told.acquire();
    }

    @Test
    void aSnapshotterThatComesBackEmptyIsDegradedAndWhatIsGoneIsSaid() throws Exception {
        MapSnapshotter before = new MapSnapshotter();
        PluginServer server = PluginServer.start(ServeOptions.of(socket("first")), Backend.of(before));
        prepare("first", "kept-by-nobody");
        server.close();
        await().until(() -> requireNonNull(plugins.health().get("first")).state() == PluginHealth.State.UNREACHABLE);

        serve("first"); // another one, with nothing in it
        await().until(() -> requireNonNull(plugins.health().get("first")).state() == PluginHealth.State.DEGRADED);
        assertThat(described("first").exports().get("problem"))
                .contains("no longer has 1 snapshot: default/kept-by-nobody");
        assertThat(described("first").problem().get()).as("it is used").isEmpty();
        prepare("first", "new");

        snapshotters.served("first").remove(context, "kept-by-nobody");
        lost.lookAgain("first");
        await().until(() -> requireNonNull(plugins.health().get("first")).state() == PluginHealth.State.READY);
    }

    @Test
    void changesOfStateArePublished() throws Exception {
        EventExchange exchange = new EventExchange(Clock.systemUTC(), EventProtos::fields);
        EventPublisher events = new EventPublisher(exchange);
        try (Subscription subscription =
                exchange.subscribe(List.of("topic==\"/plugins/state\",event.state==ready,event.id==first"))) {
            plugins.listen(change -> Wiring.publish(events, change));
            serve("first");
            assertThat(subscription.next(Duration.ofSeconds(20)))
                    .get()
                    .satisfies(event -> assertThat(event.namespace().value()).isEqualTo("longshore"));
        }
    }
}
