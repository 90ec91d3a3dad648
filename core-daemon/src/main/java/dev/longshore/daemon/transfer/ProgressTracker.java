package dev.longshore.daemon.transfer;

import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.oci.MediaTypes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * Tells how far the blobs of one transfer are: every change of state at once, and bytes a few times a second. Safe for use by many
 * threads.
 */
final class ProgressTracker implements AutoCloseable {

    private static final Duration PERIOD = Duration.ofMillis(300);
    private static final String EXTRACTING = "extracting";

    private final Consumer<Progress> sink;
    private final String root;
    private final String moving;
    private final Map<String, Job> jobs = new LinkedHashMap<>();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread ticker;

    /**
     * @param root the image, under which blobs are shown that nothing else refers to
     * @param moving the word for bytes on their way
     */
    ProgressTracker(Consumer<Progress> sink, String root, String moving) {
        this.sink = sink;
        this.root = root;
        this.moving = moving;
        this.ticker = Thread.ofVirtual().name("transfer-progress").start(this::tick);
    }

    /** The name of a blob in containerd's events, and of its ingest, so that whoever else fetches it shares the work. */
    static String name(Descriptor descriptor) {
        String type = descriptor.mediaType();
        String kind;
        if (Manifests.isManifest(type)) {
            kind = "manifest";
        } else if (Manifests.isIndex(type)) {
            kind = "index";
        } else if (type.equals(MediaTypes.OCI_CONFIG) || type.equals(MediaTypes.DOCKER_CONFIG)) {
            kind = "config";
        } else if (type.contains("layer") || type.contains("rootfs")) {
            kind = "layer";
        } else {
            kind = "unknown";
        }
        return kind + "-" + descriptor.digest();
    }

    /** One blob. */
    final class Job {

        private final Descriptor descriptor;
        private final List<String> parents;
        private final AtomicLong bytes = new AtomicLong();
        private volatile String state = "waiting";
        private long told = -1;

        private Job(Descriptor descriptor, List<String> parents) {
            this.descriptor = descriptor;
            this.parents = parents;
        }

        /** @param count bytes more have come; less than 0 when some have to come again */
        void advance(long count) {
            bytes.addAndGet(count);
            state = moving;
        }

        void complete() {
            become("complete", descriptor.size());
        }

        void exists() {
            become("already exists", descriptor.size());
        }

        /** From its first byte on, unless that has begun. */
        void extracting() {
            if (!state.equals(EXTRACTING)) {
                become(EXTRACTING, 0);
            }
        }

        /** @param position bytes of the blob that have been read for it */
        void extracted(long position) {
            bytes.accumulateAndGet(position, Math::max);
        }

        void extracted() {
            become("extracted", descriptor.size());
        }

        private void become(String next, long done) {
            state = next;
            bytes.set(done);
            tell(this);
        }
    }

    /** Begins with {@code descriptor}, unless it is known. */
    Job add(Descriptor descriptor, Optional<Descriptor> parent) {
        Job job = new Job(descriptor, List.of(parent.map(ProgressTracker::name).orElse(root)));
        synchronized (jobs) {
            Job known = jobs.putIfAbsent(descriptor.digest().toString(), job);
            if (known != null) {
                return known;
            }
        }
        tell(job);
        return job;
    }

    private void tell(Job job) {
        sink.accept(new Progress(
                job.state,
                name(job.descriptor),
                job.parents,
                job.bytes.get(),
                job.descriptor.size(),
                Optional.of(job.descriptor)));
    }

    private void tick() {
        try {
            while (!closed.await(PERIOD.toMillis(), TimeUnit.MILLISECONDS)) {
                List<Job> all;
                synchronized (jobs) {
                    all = new ArrayList<>(jobs.values());
                }
                for (Job job : all) {
                    long now = job.bytes.get();
                    if ((job.state.equals(moving) || job.state.equals(EXTRACTING)) && now != job.told) {
                        job.told = now;
                        tell(job);
                    }
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() throws InterruptedException {
        closed.countDown();
        ticker.join();
    }
}
