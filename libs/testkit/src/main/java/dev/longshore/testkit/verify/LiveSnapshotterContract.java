package dev.longshore.testkit.verify;

import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.testkit.SnapshotterContract;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract over the socket of a program that is up. */
@ExtendWith(LivePlugin.Parameter.class)
final class LiveSnapshotterContract extends SnapshotterContract {

    private final LivePlugin plugin;
    private final String prefix;

    LiveSnapshotterContract(LivePlugin plugin) {
        this.plugin = plugin;
        this.prefix = plugin.newPrefix();
    }

    @Override
    protected Snapshotter open(Path root) {
        return new ScopedSnapshotter(plugin, prefix);
    }

    @Override
    protected boolean hasRebase() {
        return plugin.options().capabilities().contains("rebase");
    }

    @Override
    protected String keyPrefix() {
        return prefix;
    }

    @Override
    protected Snapshotter reopen(Snapshotter open, Path root) throws Exception {
        plugin.restart();
        return open;
    }

    @Override
    protected boolean endsWithClose() {
        return false;
    }

    @Override
    protected boolean isStrict() {
        return plugin.options().strict();
    }
}
