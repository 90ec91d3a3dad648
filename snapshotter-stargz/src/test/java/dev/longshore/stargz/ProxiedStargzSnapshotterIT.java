package dev.longshore.stargz;

import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.stargz.layer.Traffic;
import dev.longshore.testkit.ProxiedSnapshotter;
import dev.longshore.testkit.SnapshotterContract;
import java.io.IOException;
import java.nio.file.Path;

/** The contract, over a socket, with ordinary layers. */
final class ProxiedStargzSnapshotterIT extends SnapshotterContract {

    @Override
    protected Snapshotter open(Path root) throws IOException {
        return ProxiedSnapshotter.over(Snapshotters.open(root, Snapshotters.QUIET, new Traffic()));
    }

    @Override
    protected boolean hasRebase() {
        return true;
    }
}
