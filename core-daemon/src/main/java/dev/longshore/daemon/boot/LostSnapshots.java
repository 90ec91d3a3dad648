package dev.longshore.daemon.boot;

import dev.longshore.daemon.metadata.SnapshotNames;
import dev.longshore.daemon.proxyplugin.PluginChange;
import dev.longshore.daemon.proxyplugin.ProxyPluginConfig;
import dev.longshore.daemon.proxyplugin.ProxyPlugins;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.NotFoundException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds out, whenever a snapshotter comes or comes back, whether it still has what clients were given of it; after the loss
 * of its disk it has not. It is said in the log and in the plugin's state, and everything else goes on.
 */
final class LostSnapshots implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(LostSnapshots.class);

    /** For a list of all snapshots; the plugin's own deadline may be shorter. */
    private static final Duration TIMEOUT = Duration.ofMinutes(1);

    private final ProxyPlugins plugins;
    private final Snapshotters snapshotters;
    private final Set<String> busy = ConcurrentHashMap.newKeySet();
    private final Set<String> again = ConcurrentHashMap.newKeySet();

    /** Set before the metadata is closed. */
    private volatile boolean closed;

    /** What was last found, by snapshotter; only of those that lost something. */
    private final Map<String, SnapshotNames> found = new ConcurrentHashMap<>();

    LostSnapshots(ProxyPlugins plugins, Snapshotters snapshotters) {
        this.plugins = plugins;
        this.snapshotters = snapshotters;
    }

    /** To be told of every change of a plugin. Does not wait. */
    void pluginChanged(PluginChange change) {
        if (change.isArrival() && change.plugin().type() == ProxyPluginConfig.Type.SNAPSHOT) {
            lookFor(change.plugin().id());
        }
    }

    /** Looks, by a thread of its own; if one is at it, afterwards, since it may have looked too early. */
    private void lookFor(String snapshotter) {
        if (closed) {
            return;
        }
        if (!busy.add(snapshotter)) {
            again.add(snapshotter);
            return;
        }
        Thread.ofVirtual().name("lost-" + snapshotter).start(() -> {
            try {
                look(snapshotter);
            } finally {
                busy.remove(snapshotter);
                if (again.remove(snapshotter)) {
                    lookFor(snapshotter);
                }
            }
        });
    }

    /** To be called after garbage was collected: what clients have removed is no longer lost. */
    void lookAgain(String snapshotter) {
        if (found.containsKey(snapshotter)) {
            lookFor(snapshotter);
        }
    }

    private void look(String snapshotter) {
        SnapshotNames lost;
        try {
            lost = snapshotters.metadata(snapshotter).lost(CallContext.withoutNamespace(TIMEOUT));
        } catch (NotFoundException e) {
            found.remove(snapshotter); // no longer configured
            return;
        } catch (ContainerdException e) {
            // It is away again: its next arrival is the next occasion.
            log.atWarn()
                    .addKeyValue("snapshotter", snapshotter)
                    .addKeyValue("err", e.getMessage())
                    .log("cannot find out whether snapshots are gone");
            return;
        }
        SnapshotNames before = lost.count() == 0 ? found.remove(snapshotter) : found.put(snapshotter, lost);
        if (lost.count() == 0) {
            plugins.loss(snapshotter, Optional.empty());
        } else {
            plugins.loss(
                    snapshotter,
                    Optional.of(new DataLossException(
                            "snapshotter %s no longer has %s: remove them and unpack their images again, or give it its disk back"
                                    .formatted(snapshotter, lost))));
        }
        if (lost.count() > 0 && !lost.equals(before)) {
            log.atError()
                    .addKeyValue("snapshotter", snapshotter)
                    .addKeyValue("count", lost.count())
                    .addKeyValue("snapshots", lost.first())
                    .log("snapshots are gone");
        }
    }

    /** Looks no more. */
    @Override
    public void close() {
        closed = true;
    }
}
