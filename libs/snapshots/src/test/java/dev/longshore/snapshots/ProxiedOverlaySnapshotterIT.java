package dev.longshore.snapshots;

import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.testkit.ProxiedSnapshotter;
import dev.longshore.testkit.SnapshotterContract;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;

/** The contract, over a socket. Files are removed at once here. */
final class ProxiedOverlaySnapshotterIT extends SnapshotterContract {

    @Override
    protected Snapshotter open(Path root) throws IOException {
        return ProxiedSnapshotter.over(OverlaySnapshotter.open(
                root,
                new OverlayOptions(OverlayFeatures.mountOptions(List.of(), root), true, true, true),
                Clock.systemUTC()));
    }

    @Override
    protected boolean hasRebase() {
        return true;
    }
}
