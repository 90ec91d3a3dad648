package dev.longshore.stargz.layer;

import dev.longshore.registry.Registry;
import dev.longshore.sdk.digest.Digest;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Whoever may have the blobs of layers.
 *
 * @param stores in the order in which they are asked, before the registry
 */
public record BlobSources(Registry registry, List<ContentSource> stores) {

    public BlobSources {
        stores = List.copyOf(stores);
    }

    /** The blob of a layer that is known. */
    LayerBlob blob(ImageName image, Digest digest, long size, Duration patience) {
        Optional<RemoteBlob> remote =
                image.registry().map(reference -> new RemoteBlob(registry, reference, digest, size, patience));
        if (stores.isEmpty() && remote.isPresent()) {
            return remote.get();
        }
        List<ContentBlob> stored = stores.stream()
                .map(store -> new ContentBlob(store, digest, OptionalLong.of(size)))
                .toList();
        return new SourcedBlob("layer %s of %s".formatted(digest, image), size, stored, remote, patience);
    }
}
