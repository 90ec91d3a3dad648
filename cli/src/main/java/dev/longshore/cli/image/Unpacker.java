package dev.longshore.cli.image;

import static dev.longshore.transport.grpc.Unary.call;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import dev.longshore.api.services.diff.v1.ApplyRequest;
import dev.longshore.api.services.snapshots.v1.CommitSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.PrepareSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.RemoveSnapshotRequest;
import dev.longshore.api.services.snapshots.v1.StatSnapshotRequest;
import dev.longshore.api.types.Mount;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Progress;
import dev.longshore.ocicrypt.Annotations;
import dev.longshore.ocicrypt.DecryptionKeys;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.oci.ChainIds;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * Makes snapshots of an image's layers, each on the one below, named by chain ids. Snapshots that are there, of this or
 * another image, are used as they are.
 *
 * @see <a href="https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid">chain ids</a>
 */
public final class Unpacker {

    private static final String SNAPSHOT_REF = "containerd.io/snapshot.ref";

    /** The processors of encrypted layers, by the ids that they have in containerd's default configuration, and in ours. */
    private static final List<String> DECODERS = List.of(
            "io.containerd.ocicrypt.decoder.v1.tar",
            "io.containerd.ocicrypt.decoder.v1.tar.gzip",
            "io.containerd.ocicrypt.decoder.v1.tar.zstd");

    private final Daemon daemon;
    private final BlobStore store;
    private final String snapshotter;

    /** @param daemon with a lease, so that what is made is not collected meanwhile */
    public Unpacker(Daemon daemon, String snapshotter) {
        this.daemon = daemon;
        this.store = new BlobStore(daemon);
        this.snapshotter = snapshotter;
    }

    /** The name of the snapshot of these layers and all below; empty for no layer. */
    public static String chainId(List<Digest> diffIds) {
        List<String> chains = ChainIds.of(diffIds);
        return chains.isEmpty() ? "" : chains.getLast();
    }

    /** Whether there is a snapshot of that name. */
    public boolean has(String chainId) {
        try {
            call(() -> daemon.snapshots()
                    .stat(StatSnapshotRequest.newBuilder()
                            .setSnapshotter(snapshotter)
                            .setKey(chainId)
                            .build()));
            return true;
        } catch (NotFoundException e) {
            return false;
        }
    }

    /**
     * Unpacks what is not unpacked.
     *
     * @return the name of the topmost snapshot
     * @throws InvalidArgumentException if manifest and configuration do not fit together
     * @throws DataLossException if a layer is not what the configuration says
     */
    public String unpack(Manifests.Manifest manifest, Manifests.Config config, Progress progress) {
        List<Descriptor> layers = manifest.layers();
        if (layers.size() != config.diffIds().size()) {
            throw new InvalidArgumentException("the image has %d layers and the digests of %d"
                    .formatted(layers.size(), config.diffIds().size()));
        }
        String chain = chainId(config.diffIds());
        if (!has(chain)) {
            String parent = "";
            List<String> names = ChainIds.of(config.diffIds());
            for (int i = 0; i < layers.size(); i++) {
                String name = names.get(i);
                if (!has(name)) {
                    progress.step("unpacking layer %d of %d".formatted(i + 1, layers.size()));
                    unpack(layers.get(i), config.diffIds().get(i), parent, name);
                }
                parent = name;
            }
        }
        if (!chain.isEmpty()) {
            store.label(manifest.config().digest(), Map.of("containerd.io/gc.ref.snapshot." + snapshotter, chain));
        }
        return chain;
    }

    private void unpack(Descriptor layer, Digest diffId, String parent, String name) {
        String key = "extract-%s %s".formatted(UUID.randomUUID(), name);
        List<Mount> mounts;
        try {
            mounts = call(() -> daemon.snapshots()
                            .prepare(PrepareSnapshotRequest.newBuilder()
                                    .setSnapshotter(snapshotter)
                                    .setKey(key)
                                    .setParent(parent)
                                    .putLabels(SNAPSHOT_REF, name)
                                    .build()))
                    .getMountsList();
        } catch (AlreadyExistsException e) {
            // A remote snapshotter has the layer already, or somebody else has just unpacked it.
            if (has(name)) {
                return;
            }
            throw e;
        }
        try {
            String applied = call(() -> daemon.diff()
                            .apply(ApplyRequest.newBuilder()
                                    .setDiff(dev.longshore.api.types.Descriptor.newBuilder()
                                            .setMediaType(layer.mediaType())
                                            .setDigest(layer.digest().toString())
                                            .setSize(layer.size())
                                            .putAllAnnotations(layer.annotations()))
                                    .addAllMounts(mounts)
                                    .putAllPayloads(payloads(layer))
                                    .build()))
                    .getApplied()
                    .getDigest();
            if (!applied.equals(diffId.toString())) {
                throw new DataLossException(
                        "layer %s unpacks to %s, and its image says %s: the image is damaged or forged"
                                .formatted(layer.digest(), applied, diffId));
            }
            commit(key, name, parent);
        } catch (ContainerdException e) {
            remove(key, e);
            throw e;
        }
        store.label(layer.digest(), Map.of("containerd.io/uncompressed", diffId.toString()));
    }

    /** containerd's daemon has nothing for the processors of encrypted layers but what its client sends; the keys are the daemon's. */
    private static Map<String, Any> payloads(Descriptor layer) {
        if (!Annotations.isEncrypted(layer.mediaType())) {
            return Map.of();
        }
        Any payload = Any.newBuilder()
                .setTypeUrl("io.containerd.ocicrypt.v1.Payload")
                .setValue(ByteString.copyFrom(DecryptionKeys.payload(
                        Map.of(),
                        Map.of(
                                "mediaType", layer.mediaType(),
                                "digest", layer.digest().toString(),
                                "size", layer.size(),
                                "annotations", layer.annotations()))))
                .build();
        return DECODERS.stream().collect(Collectors.toMap(id -> id, _ -> payload));
    }

    private void commit(String key, String name, String parent) {
        try {
            call(() -> daemon.snapshots()
                    .commit(CommitSnapshotRequest.newBuilder()
                            .setSnapshotter(snapshotter)
                            .setKey(key)
                            .setName(name)
                            .setParent(parent)
                            .putLabels(SNAPSHOT_REF, name)
                            .build()));
        } catch (AlreadyExistsException e) {
            // Somebody else was faster, with the same content: the name is its digest.
            remove(key, e);
        }
    }

    private void remove(String key, ContainerdException reason) {
        try {
            call(() -> daemon.snapshots()
                    .remove(RemoveSnapshotRequest.newBuilder()
                            .setSnapshotter(snapshotter)
                            .setKey(key)
                            .build()));
        } catch (ContainerdException e) {
            reason.addSuppressed(e);
        }
    }
}
