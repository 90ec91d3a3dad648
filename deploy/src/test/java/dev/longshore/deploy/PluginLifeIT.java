package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.google.protobuf.Any;
import dev.longshore.api.services.introspection.v1.IntrospectionGrpc;
import dev.longshore.api.services.introspection.v1.PluginInfoRequest;
import dev.longshore.api.types.RuntimeInfo;
import dev.longshore.api.types.RuntimeRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.proxy.ProxySnapshotter;
import io.grpc.ManagedChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;

/**
 * Plugins that are frozen, killed, added, changed and removed under a daemon that runs: the real programs, and a container that
 * must not notice.
 */
class PluginLifeIT {

    /** Of the plugin {@code second}: what one call of it may take. */
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    private static final Duration BACK_WITHIN = Duration.ofSeconds(1);

    private Suite suite;
    private UnixChannels channels;
    private ManagedChannel channel;
    private TestPlugin second;

    @BeforeEach
    void up() throws Exception {
        assumeFalse("containerd".equals(System.getProperty("longshore.peer")), "is about Longshore's own plugins");
        suite = Suite.up();
        channels = new UnixChannels();
        channel = channels.open(suite.address(), List.of());
        suite.importBusybox("docker.io/library/busybox:plugins");
        suite.ctr(
                        "run",
                        "-d",
                        "--snapshotter",
                        "overlayfs",
                        "docker.io/library/busybox:plugins",
                        "bystander",
                        "sleep",
                        "600")
                .ok();
        second = TestPlugin.overlay(suite, "second");
        second.start();
        second.declare(TIMEOUT);
        await().atMost(Duration.ofSeconds(10)).until(() -> second.state().equals("ready"));
    }

    @AfterEach
    void down() {
        if (channel != null) {
            channel.shutdownNow();
            channels.close();
        }
        if (second != null) {
            second.close();
        }
        if (suite != null) {
            try {
                assertThat(suite.ctr("tasks", "ls").ok().row("bystander")).contains("RUNNING");
            } finally {
                suite.close();
            }
        }
    }

    private Snapshotter snapshotter(String name) {
        return new ProxySnapshotter(channel, name);
    }

    private static CallContext context() {
        return CallContext.of("default", Duration.ofSeconds(30));
    }

    private static Duration time(Runnable call) {
        long start = System.nanoTime();
        call.run();
        return Duration.ofNanos(System.nanoTime() - start);
    }

    /** The median of calls that go through to the snapshotter {@code overlayfs}. */
    private Duration median() {
        Duration[] times = new Duration[101];
        Snapshotter overlayfs = snapshotter("overlayfs");
        Arrays.setAll(times, _ -> time(() -> overlayfs.mounts(context(), "bystander")));
        Arrays.sort(times);
        return times[times.length / 2];
    }

    @Test
    void aFrozenPluginHarmsNobodyElseAndIsUsedWithinASecondOfItsRecovery(TestReporter reporter) {
        snapshotter("second").prepare(context(), "k", "", Map.of());
        Duration before = median();

        second.signal("STOP");
        Duration failed =
                time(() -> assertThatThrownBy(() -> snapshotter("second").mounts(context(), "k"))
                        .isInstanceOfAny(DeadlineExceededException.class, UnavailableException.class)
                        .hasMessageContaining("plugin second at " + second.socket()));
        assertThat(failed).isLessThan(TIMEOUT.plusMillis(500));
        Duration beside = median();
        assertThat(beside)
                .as("before: %s", before)
                .isLessThan(before.multipliedBy(2).plusMillis(5));

        await().atMost(Duration.ofSeconds(20)).until(() -> second.state().equals("unreachable"));
        assertThat(suite.longshore("plugins").exitedWith(1).out()).contains("stopped to answer");
        Duration refused =
                time(() -> assertThatThrownBy(() -> snapshotter("second").mounts(context(), "k"))
                        .isInstanceOf(UnavailableException.class)
                        .hasMessageContaining("stopped to answer"));
        assertThat(refused).isLessThan(Duration.ofMillis(500));

        second.signal("CONT");
        Duration back = second.untilUsed(channel, "k");
        reporter.publishEntry(Map.of(
                "a call of another plugin before", before.toString(),
                "a call of another plugin meanwhile", beside.toString(),
                "a call of the frozen one failed after", failed.toString(),
                "and, once that was known, after", refused.toString(),
                "used again after SIGCONT within", back.toString()));
        assertThat(back).isLessThan(BACK_WITHIN);
    }

    @Test
    void aPluginThatIsKilledIsUsedWithinASecondOfItsReturn(TestReporter reporter) {
        snapshotter("second").prepare(context(), "k", "", Map.of());
        second.end("KILL");
        await().until(() -> second.state().equals("unreachable"));
        assertThatThrownBy(() -> snapshotter("second").mounts(context(), "k")).isInstanceOf(UnavailableException.class);
        second.start();
        second.awaitListening();
        Duration back = second.untilUsed(channel, "k");
        reporter.publishEntry("used again after a restart within", back.toString());
        assertThat(back).isLessThan(BACK_WITHIN);
    }

    @Test
    void aPluginThatComesBackWithoutItsDiskIsDegradedAndUsed() throws Exception {
        snapshotter("second").prepare(context(), "was-here", "", Map.of());
        second.end("TERM");
        Suite.delete(second.root());
        second.start();
        await().atMost(Duration.ofSeconds(30)).until(() -> second.state().equals("degraded"));
        assertThat(suite.longshore("plugins").ok().out()).contains("no longer has 1 snapshot: default/was-here");
        assertThat(Files.readString(suite.root().resolve("log/longshored.log")))
                .contains("snapshots are gone")
                .contains("default/was-here");
        assertThat(snapshotter("second").prepare(context(), "new", "", Map.of()))
                .isNotEmpty();
    }

    @Test
    void pluginsComeAndGoWithoutARestart() throws Exception {
        long daemon = suite.pid("longshored");
        snapshotter("second").prepare(context(), "k", "", Map.of());

        // Removal of one that holds snapshots.
        second.undeclare();
        assertThat(suite.longshore("plugins", "reload").exitedWith(1).out())
                .contains("io.containerd.snapshotter.v1.second", "refused", "1 snapshot: default/k");
        assertThat(suite.longshore("plugins").ok().out()).contains("removal refused: it holds 1 snapshot: default/k");
        assertThat(snapshotter("second").mounts(context(), "k")).isNotEmpty();
        snapshotter("second").remove(context(), "k");
        assertThat(suite.longshore("plugins", "reload").ok().out()).contains("removed");
        assertThatThrownBy(() -> snapshotter("second").mounts(context(), "k"))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("not configured");

        // A broken file.
        Path broken = suite.root().resolve("conf.d/broken.toml");
        Files.writeString(broken, "[proxy_plugins.x]\ntype = \"snapshots\"\naddress = \"/x.sock\"\n");
        assertThat(suite.longshore("plugins", "reload").exitedWith(1).err())
                .contains(broken + ":2:1")
                .contains("unknown proxy plugin type");
        Files.delete(broken);

        // SIGHUP, which also reads the file that is not watched.
        Path config = suite.root().resolve("config.toml");
        Files.writeString(config, Files.readString(config) + """

                [proxy_plugins.third]
                  type = "snapshot"
                  address = "%s"
                [debug]
                  level = "debug"
                """.formatted(second.socket()));
        Programs.run(List.of("kill", "-HUP", String.valueOf(daemon))).ok();
        await().atMost(Duration.ofSeconds(20))
                .until(() -> suite.pluginState("third").equals("ready"));
        assertThat(suite.longshore("plugins", "reload").ok().out())
                .contains("No plugin has changed.", "debug has changed: restart the daemon for it");
        assertThat(suite.pid("longshored")).isEqualTo(daemon);
        assertThat(ProcessHandle.of(daemon)).get().matches(ProcessHandle::isAlive);
    }

    @Test
    void aRuntimeTellsOfItself() throws Exception {
        var response = CallContexts.send(IntrospectionGrpc.newBlockingStub(channel), context())
                .pluginInfo(PluginInfoRequest.newBuilder()
                        .setType("io.containerd.runtime.v2")
                        .setId("task")
                        .setOptions(Any.newBuilder()
                                .setTypeUrl("containerd.types.RuntimeRequest")
                                .setValue(RuntimeRequest.newBuilder()
                                        .setRuntimePath("io.containerd.runc.v2")
                                        .build()
                                        .toByteString()))
                        .build());
        RuntimeInfo info = RuntimeInfo.parseFrom(response.getExtra().getValue());
        assertThat(response.getExtra().getTypeUrl()).isEqualTo("containerd.types.RuntimeInfo");
        assertThat(info.getName()).isEqualTo("io.containerd.runc.v2");
    }
}
