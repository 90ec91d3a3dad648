package dev.longshore.transport.serve;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.CompareOptions;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.oci.Descriptor;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;

/** Makes a layer when it is let go on, and notes what it was called with. */
final class SlowDiffer implements Comparer {

    static final CompareOptions OPTIONS = new CompareOptions("", "ref", Map.of(), Optional.empty());

    static final Descriptor LAYER =
            new Descriptor("application/layer", Digest.parse("sha256:" + "0".repeat(64)), 1, Map.of());

    final CountDownLatch called = new CountDownLatch(1);
    final CountDownLatch goOn = new CountDownLatch(1);
    final AtomicReference<CallContext> seen = new AtomicReference<>();

    @Override
    public Descriptor compare(CallContext context, List<Mount> lower, List<Mount> upper, CompareOptions options) {
        seen.set(context);
        called.countDown();
        try {
            goOn.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted", e);
        }
        return LAYER;
    }
}
