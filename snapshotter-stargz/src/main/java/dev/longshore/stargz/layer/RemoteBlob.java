package dev.longshore.stargz.layer;

import dev.longshore.registry.ByteRange;
import dev.longshore.registry.Registry;
import dev.longshore.registry.Registry.RangeSink;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.PermissionDeniedException;
import dev.longshore.sdk.errors.UnauthenticatedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.oci.Reference;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** A blob in a registry, read in parts. A registry that is away is asked again for a while. Safe for use by many threads. */
final class RemoteBlob implements LayerBlob {

    private static final Duration FIRST_PAUSE = Duration.ofMillis(200);
    private static final Duration MAX_PAUSE = Duration.ofSeconds(5);

    private final Registry registry;
    private final Reference reference;
    private final Descriptor descriptor;
    private final Duration patience;
    private final CountDownLatch closed = new CountDownLatch(1);

    /**
     * @param reference an image with the blob
     * @param patience how long a part is waited for
     */
    RemoteBlob(Registry registry, Reference reference, Digest digest, long size, Duration patience) {
        this.registry = registry;
        this.reference = reference;
        this.descriptor = new Descriptor(MediaTypes.OCI_LAYER, digest, size);
        this.patience = patience;
    }

    @Override
    public long size() {
        return descriptor.size();
    }

    @Override
    public void read(long begin, long end, Part part) throws IOException {
        if (begin == end) {
            part.read(InputStream.nullInputStream());
        } else {
            read(List.of(new ByteRange(begin, end)), (_, in) -> part.read(in));
        }
    }

    @Override
    public void read(List<ByteRange> ranges, RangeSink sink) throws IOException {
        Deadline deadline = Deadline.after(patience);
        Duration pause = FIRST_PAUSE;
        int[] taken = {0};
        while (true) {
            List<ByteRange> left = ranges.subList(taken[0], ranges.size());
            try {
                registry.fetchRanges(
                        CallContext.withoutNamespace(deadline.remaining()),
                        reference,
                        descriptor,
                        left,
                        (range, in) -> {
                            sink.take(range, in);
                            taken[0]++;
                        });
                return;
            } catch (InterruptedIOException e) {
                throw e;
            } catch (UnavailableException
                    | DeadlineExceededException
                    // It has given the layer's table: credentials may be changed just now, or an address have expired.
                    | UnauthenticatedException
                    | PermissionDeniedException
                    | IOException e) {
                if (e instanceof BadLayerException || deadline.remaining().compareTo(pause) <= 0) {
                    throw failed(left, e);
                }
            } catch (ContainerdException e) {
                throw failed(left, e);
            } catch (InterruptedException e) {
                throw interrupted(e);
            }
            try {
                if (closed.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
                    throw new IOException("%s is not used any more".formatted(this));
                }
            } catch (InterruptedException e) {
                throw interrupted(e);
            }
            pause = pause.multipliedBy(2).compareTo(MAX_PAUSE) > 0 ? MAX_PAUSE : pause.multipliedBy(2);
        }
    }

    private IOException failed(List<ByteRange> left, Exception cause) {
        return new IOException(
                "bytes %s of %s cannot be had: %s"
                        .formatted(
                                left.stream().map(ByteRange::toString).collect(Collectors.joining(", ")),
                                this,
                                cause.getMessage()),
                cause);
    }

    private static IOException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return (IOException) new InterruptedIOException("interrupted while fetching").initCause(e);
    }

    /** Ends the waits for a registry. */
    @Override
    public void close() {
        closed.countDown();
    }

    /** For messages. */
    @Override
    public String toString() {
        return "layer %s of %s".formatted(descriptor.digest(), reference);
    }
}
