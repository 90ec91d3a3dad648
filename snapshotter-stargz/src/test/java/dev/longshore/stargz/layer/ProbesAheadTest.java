package dev.longshore.stargz.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.longshore.registry.Credentials;
import dev.longshore.registry.HostsDirectory;
import dev.longshore.registry.Registry;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of probes that nobody has asked for in time. */
class ProbesAheadTest {

    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Digest OTHER = Digest.sha256("another layer".getBytes(StandardCharsets.UTF_8));

    @TempDir
    private Path folder;

    private final AtomicLong nanos = new AtomicLong();
    private final Registry registry = new Registry(new HostsDirectory(List.of(), false), Credentials.NONE);

    @SuppressWarnings("NullAway.Init")
    private ServedBlob served;

    @SuppressWarnings("NullAway.Init")
    private ProbesAhead ahead;

    @BeforeEach
    void serve() throws Exception {
        served = new ServedBlob(folder, Map.of("file", new byte[1000]), List.of());
        LayerProbe probe = new LayerProbe(new BlobSources(registry, List.of()), new Traffic());
        ahead = new ProbesAhead(probe, folder.resolve("ahead"), PATIENCE, nanos::get);
    }

    @AfterEach
    void close() {
        ahead.close();
        served.close();
        registry.close();
    }

    private boolean isTaken() throws Exception {
        return ahead.take(
                        CallContext.withoutNamespace(PATIENCE),
                        served.other(OTHER, served.annotations()),
                        folder.resolve("index"))
                .isPresent();
    }

    private Path index() {
        return folder.resolve("ahead/sha256-" + OTHER.hex());
    }

    @Test
    void aProbeThatIsLateEndsBeforeItsLayerIsProbedAgain() throws Exception {
        CountDownLatch hold = served.holdNext();
        ahead.begin(served.source(List.of(OTHER)), _ -> false);
        await().until(() -> !served.ranges().isEmpty());
        nanos.addAndGet(Duration.ofHours(1).toNanos());
        // A second one would write the same index, and the first one to end would have it moved away under the other.
        ahead.begin(served.source(List.of(OTHER)), _ -> false);
        hold.countDown();
        assertThat(isTaken()).isTrue();
        assertThat(served.ranges()).hasSize(1);
        assertThat(folder.resolve("index")).isNotEmptyFile();
    }

    @Test
    void whatNobodyAsksForIsThrownAway() throws Exception {
        ahead.begin(served.source(List.of(OTHER)), _ -> false);
        await().until(() -> index().toFile().exists());
        assertThat(served.ranges()).hasSize(1);
        nanos.addAndGet(Duration.ofHours(1).toNanos());
        ahead.begin(served.source(List.of()), _ -> false);
        assertThat(index()).doesNotExist();
        assertThat(isTaken()).isFalse();
    }
}
