package dev.longshore.daemon.diff;

import dev.longshore.sdk.compress.Compression;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Turns a layer of any media type into a plain tar: with the programs that are configured, one after another, and with the
 * decompression that is built in. Of several that accept a media type the one that was registered last is used, and all of them
 * come before what is built in, as in containerd.
 */
public final class StreamProcessors {

    /** No processors: what is built in. */
    public static final StreamProcessors NONE = new StreamProcessors(List.of(), List.of());

    private static final String OCI_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar";
    private static final String DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar";
    private static final String ENCRYPTED = "+encrypted";

    /** The name that imgcrypt has given the type of its payloads, which are JSON. */
    private static final String OCICRYPT_PAYLOAD = "io.containerd.ocicrypt.v1.Payload";

    /** Layers that programs work on at a time; a program may be a whole JVM. */
    private static final int RUNNING = Math.max(4, 2 * Runtime.getRuntime().availableProcessors());

    private final List<StreamProcessor> processors;
    private final List<Path> searched;
    private final Semaphore running = new Semaphore(RUNNING, true);

    /**
     * @param processors in the order of their registration
     * @param searched folders that programs are looked for in
     */
    public StreamProcessors(Collection<StreamProcessor> processors, List<Path> searched) {
        this.processors = List.copyOf(processors).reversed();
        this.searched = List.copyOf(searched);
    }

    /** Whether a configured processor, not only what is built in, takes a media type. */
    public boolean accept(String mediaType) {
        return accepting(mediaType).isPresent();
    }

    private Optional<StreamProcessor> accepting(String mediaType) {
        return processors.stream()
                .filter(processor -> processor.accepts().contains(mediaType))
                .findFirst();
    }

    /**
     * Opens a layer as a plain tar.
     *
     * @param blob its bytes; closed with what is returned
     * @throws UnimplementedException if there is no way from its media type to a tar
     * @throws FailedPreconditionException if a program cannot be run
     */
    PlainLayer open(InputStream blob, Descriptor layer, Map<String, TypedValue> payloads, Deadline deadline)
            throws IOException {
        List<Step> steps = steps(layer);
        List<ProcessorRun> runs = new ArrayList<>();
        boolean programs = steps.stream().anyMatch(step -> step.processor().isPresent());
        if (programs) {
            admit(layer, deadline);
        }
        Runnable release = programs ? running::release : () -> {};
        InputStream stream = blob;
        try {
            for (Step step : steps) {
                if (step.processor().isPresent()) {
                    StreamProcessor processor = step.processor().get();
                    ProcessorRun run = new ProcessorRun(
                            processor,
                            program(processor),
                            step.mediaType(),
                            payload(processor, step.mediaType(), layer, payloads),
                            stream,
                            deadline);
                    runs.add(run);
                    stream = run;
                } else if (step.compressed()) {
                    stream = Compression.decompress(stream);
                }
            }
            return new PlainLayer(stream, runs, release);
        } catch (IOException | RuntimeException e) {
            try (PlainLayer failed = new PlainLayer(blob, runs, release)) {
                failed.explain();
            }
            throw e;
        }
    }

    private void admit(Descriptor layer, Deadline deadline) {
        try {
            if (!running.tryAcquire(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw new DeadlineExceededException("layer %s: stream processors are at work on %d others already"
                        .formatted(layer.digest(), RUNNING));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted while waiting for stream processors", e);
        }
    }

    /**
     * One step on the way to a tar.
     *
     * @param processor empty for what is built in
     * @param compressed whether that is to decompress
     */
    private record Step(String mediaType, Optional<StreamProcessor> processor, boolean compressed) {}

    /** What is to be done, all of it known before any program is started. */
    private List<Step> steps(Descriptor layer) {
        List<Step> steps = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        String mediaType = layer.mediaType();
        do {
            if (!seen.add(mediaType)) {
                throw new FailedPreconditionException(
                        "stream processors turn media type \"%s\" of layer %s into itself: correct what they return"
                                .formatted(mediaType, layer.digest()));
            }
            Optional<StreamProcessor> processor = accepting(mediaType);
            boolean compressed = processor.isEmpty() && mayBeCompressed(mediaType, layer);
            steps.add(new Step(mediaType, processor, compressed));
            mediaType = processor.map(StreamProcessor::returns).orElse(MediaTypes.OCI_LAYER);
        } while (!mediaType.equals(MediaTypes.OCI_LAYER));
        return steps;
    }

    /**
     * Whether a layer's first bytes say how it is compressed. As in containerd, OCI's plain types are believed, and Docker's are
     * not: its clients have labeled compressed layers with them.
     *
     * @throws UnimplementedException if it is no layer that can be read
     */
    private static boolean mayBeCompressed(String mediaType, Descriptor layer) {
        return switch (mediaType) {
            case MediaTypes.OCI_LAYER, OCI_NONDISTRIBUTABLE -> false;
            case MediaTypes.OCI_LAYER_GZIP,
                    MediaTypes.OCI_LAYER_ZSTD,
                    OCI_NONDISTRIBUTABLE + "+gzip",
                    OCI_NONDISTRIBUTABLE + "+zstd",
                    MediaTypes.DOCKER_LAYER,
                    MediaTypes.DOCKER_LAYER_GZIP,
                    MediaTypes.DOCKER_LAYER_ZSTD,
                    DOCKER_FOREIGN,
                    DOCKER_FOREIGN + ".gzip",
                    DOCKER_FOREIGN + ".zstd" -> true;
            default ->
                throw new UnimplementedException(
                        "media type \"%s\" of layer %s is none that can be applied, and no stream processor accepts it"
                                .formatted(mediaType, layer.digest()));
        };
    }

    /**
     * What the client has sent for a processor. Clients that know nothing of encryption send nothing; imgcrypt's contract wants the
     * layer's descriptor, in whose annotations the wrapped keys are, so that is what an encrypted layer comes with at the least.
     */
    private static Optional<TypedValue> payload(
            StreamProcessor processor, String mediaType, Descriptor layer, Map<String, TypedValue> payloads) {
        TypedValue sent = payloads.get(processor.id());
        if (sent != null) {
            return Optional.of(sent);
        }
        if (!mediaType.endsWith(ENCRYPTED)) {
            return Optional.empty();
        }
        Map<String, Object> descriptor = Map.of(
                "mediaType", layer.mediaType(),
                "digest", layer.digest().toString(),
                "size", layer.size(),
                "annotations", layer.annotations());
        return Optional.of(new TypedValue(
                OCICRYPT_PAYLOAD,
                Json.bytes(Map.of("DecryptConfig", Map.of("Parameters", Map.of()), "Descriptor", descriptor))));
    }

    private Path program(StreamProcessor processor) {
        List<Path> candidates = processor.path().contains("/")
                ? List.of(Path.of(processor.path()))
                : searched.stream()
                        .map(folder -> folder.resolve(processor.path()))
                        .toList();
        return candidates.stream()
                .filter(path -> Files.isExecutable(path) && !Files.isDirectory(path))
                .findFirst()
                .orElseThrow(() -> new FailedPreconditionException(
                        "stream processor \"%s\" cannot be run: there is no program %s%s; install it, or correct its path"
                                .formatted(
                                        processor.id(),
                                        processor.path(),
                                        processor.path().contains("/") ? "" : " in " + searched)));
    }
}
