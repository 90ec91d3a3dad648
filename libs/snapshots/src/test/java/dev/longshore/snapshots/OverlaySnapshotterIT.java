package dev.longshore.snapshots;

import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.testkit.SnapshotterContract;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;

/** The contract, directly. */
final class OverlaySnapshotterIT extends SnapshotterContract {

    @Override
    protected Snapshotter open(Path root) throws IOException {
        return OverlaySnapshotter.open(
                root,
                new OverlayOptions(OverlayFeatures.mountOptions(List.of(), root), false, false, true),
                Clock.systemUTC());
    }

    @Override
    protected boolean hasRebase() {
        return true;
    }
}
