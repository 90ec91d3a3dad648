package dev.longshore.cli.image;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Progress;
import dev.longshore.ocicrypt.Annotations;
import dev.longshore.ocicrypt.KeyUnwrapper;
import dev.longshore.ocicrypt.LayerCipher;
import dev.longshore.ocicrypt.LayerKey;
import dev.longshore.ocicrypt.LayerSeal;
import dev.longshore.ocicrypt.Recipients;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Layers that only their recipients can read, and the way back. Bytes are read from the daemon, changed and written to it as they pass;
 * of one that turns out to be wrong nothing is kept.
 */
public final class LayerEncryption {

    private static final Set<String> LAYERS =
            Set.of(MediaTypes.OCI_LAYER, MediaTypes.OCI_LAYER_GZIP, MediaTypes.OCI_LAYER_ZSTD);

    private final Daemon daemon;
    private final KeyUnwrapper keys;
    private final Progress progress;

    /** @param daemon with a lease, so that what is made is not collected meanwhile */
    public LayerEncryption(Daemon daemon, KeyUnwrapper keys, Progress progress) {
        this.daemon = daemon;
        this.keys = keys;
        this.progress = progress;
    }

    /**
     * Encrypts a layer. One that is encrypted stays, with its key wrapped for these recipients as well.
     *
     * @return empty for what is no layer of files, as attestations are
     * @throws FailedPreconditionException if it is one that may not be stored here, or if no key fits one that is encrypted
     */
    public Optional<Descriptor> encrypt(Descriptor layer, Recipients recipients) throws IOException {
        if (Annotations.isEncrypted(layer.mediaType())) {
            LayerKey key = keys.unwrap(layer.annotations()).key();
            return Optional.of(new Descriptor(
                    layer.mediaType(), layer.digest(), layer.size(), recipients.add(layer.annotations(), key)));
        }
        if (layer.mediaType().contains("nondistributable") || layer.mediaType().contains("foreign")) {
            throw new FailedPreconditionException(
                    "layer %s is a %s, whose bytes come from elsewhere: it cannot be encrypted; name the others with --layer"
                            .formatted(layer.digest(), layer.mediaType()));
        }
        if (!LAYERS.contains(Annotations.oci(layer.mediaType()))) {
            return Optional.empty();
        }
        LayerKey key = LayerKey.random(layer.digest().toString());
        try (BlobReader plain = new BlobReader(daemon, layer);
                BlobWriter encrypted = new BlobWriter(daemon, layer.size(), progress)) {
            LayerSeal seal = LayerCipher.encrypt(key, plain, encrypted);
            Map<String, String> annotations = new TreeMap<>(layer.annotations());
            annotations.putAll(recipients.wrap(key, seal));
            return Optional.of(new Descriptor(
                    Annotations.encrypted(layer.mediaType()), encrypted.commit(), layer.size(), annotations));
        }
    }

    /**
     * Decrypts a layer.
     *
     * @return empty for one that is not encrypted
     * @throws FailedPreconditionException if no key fits
     * @throws DataLossException if it is not what was encrypted
     */
    public Optional<Descriptor> decrypt(Descriptor layer) throws IOException {
        if (!Annotations.isEncrypted(layer.mediaType())) {
            return Optional.empty();
        }
        KeyUnwrapper.Opened opened = keys.unwrap(layer.annotations());
        try (BlobReader encrypted = new BlobReader(daemon, layer);
                BlobWriter plain = new BlobWriter(daemon, layer.size(), progress)) {
            LayerCipher.decrypt(opened.key(), opened.seal(), encrypted, plain);
            Digest digest = plain.commit();
            return Optional.of(new Descriptor(
                    Annotations.decrypted(layer.mediaType()),
                    digest,
                    layer.size(),
                    Annotations.others(layer.annotations())));
        }
    }
}
