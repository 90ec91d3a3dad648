package dev.longshore.daemon.diff;

import dev.longshore.daemon.metadata.LeaseResource;
import dev.longshore.daemon.metadata.LeaseStore;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Clock;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * Brings stream processors to an applier that has none, such as one behind a socket: a layer that one of them accepts is handed over
 * as the plain tar that they make of it. The tar is a blob for the time of the call, kept by a lease of its own. All other layers are
 * handed over as they are.
 */
public final class ProcessingApplier implements Applier {

    private static final int COPY = 1 << 20;

    /** Of a lease that nobody deletes, as the daemon has died. */
    private static final Duration EXPIRY = Duration.ofDays(1);

    private final Applier applier;
    private final ContentStore content;
    private final LeaseStore leases;
    private final StreamProcessors processors;
    private final Clock clock;

    public ProcessingApplier(
            Applier applier, ContentStore content, LeaseStore leases, StreamProcessors processors, Clock clock) {
        this.applier = applier;
        this.content = content;
        this.leases = leases;
        this.processors = processors;
        this.clock = clock;
    }

    @Override
    public Descriptor apply(
            CallContext context,
            Descriptor layer,
            List<Mount> mounts,
            Map<String, TypedValue> payloads,
            boolean syncFileSystem) {
        if (!processors.accept(layer.mediaType())) {
            return applier.apply(context, layer, mounts, payloads, syncFileSystem);
        }
        NamespaceId namespace = context.requireNamespace();
        String lease = "longshore-processed-" + UUID.randomUUID();
        String expiry =
                clock.instant().plus(EXPIRY).truncatedTo(ChronoUnit.SECONDS).toString();
        leases.create(namespace, lease, Map.of("containerd.io/gc.expire", expiry));
        try {
            Descriptor plain = process(context.withLease(lease), layer, payloads, lease);
            return applier.apply(context, plain, mounts, Map.of(), syncFileSystem);
        } catch (IOException e) {
            throw new UncheckedIOException(
                    new IOException("layer %s cannot be applied: %s".formatted(layer.digest(), e.getMessage()), e));
        } finally {
            // Not the blob: an image may have the same layer, or another call be at the same one.
            leases.delete(namespace, lease);
        }
    }

    private Descriptor process(CallContext context, Descriptor layer, Map<String, TypedValue> payloads, String ref)
            throws IOException {
        try (BlobStream blob = BlobStream.open(content, context, layer);
                PlainLayer plain = processors.open(blob, layer, payloads, context.deadline());
                ContentWriter writer = content.writer(context, new WriterRequest(ref, 0, Optional.empty()))) {
            try {
                return store(context, plain, writer);
            } catch (IOException | RuntimeException e) {
                content.abort(context, ref);
                plain.explain();
                throw e;
            }
        }
    }

    private Descriptor store(CallContext context, PlainLayer plain, ContentWriter writer) throws IOException {
        byte[] buffer = new byte[COPY];
        long size = 0;
        for (int count = plain.readNBytes(buffer, 0, COPY); count > 0; count = plain.readNBytes(buffer, 0, COPY)) {
            writer.write(ByteBuffer.wrap(buffer, 0, count));
            size += count;
        }
        // Before it is a blob: what a program takes back at its end was never there.
        plain.finish();
        Digest digest = writer.digest();
        try {
            writer.commit(size, Optional.empty(), Map.of());
        } catch (AlreadyExistsException e) {
            leases.add(
                    context.requireNamespace(),
                    context.lease().orElseThrow(),
                    new LeaseResource("content", digest.toString()));
        }
        return new Descriptor(MediaTypes.OCI_LAYER, digest, size);
    }
}
