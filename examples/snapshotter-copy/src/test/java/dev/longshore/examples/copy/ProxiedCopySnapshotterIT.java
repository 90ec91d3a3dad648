package dev.longshore.examples.copy;

import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.testkit.ProxiedSnapshotter;
import dev.longshore.testkit.SnapshotterContract;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;

/** The contract, over a socket. */
final class ProxiedCopySnapshotterIT extends SnapshotterContract {

    @Override
    protected Snapshotter open(Path root) throws IOException {
        return ProxiedSnapshotter.over(CopySnapshotter.open(root, Clock.systemUTC()));
    }

    @Override
    protected boolean hasRebase() {
        return false;
    }
}
