package dev.longshore.examples.copy;

import dev.longshore.sdk.snapshot.Snapshotter;
import dev.longshore.testkit.SnapshotterContract;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;

/** The contract, directly. */
final class CopySnapshotterIT extends SnapshotterContract {

    @Override
    protected Snapshotter open(Path root) throws IOException {
        return CopySnapshotter.open(root, Clock.systemUTC());
    }

    @Override
    protected boolean hasRebase() {
        return false;
    }
}
