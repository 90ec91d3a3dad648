package dev.longshore.daemon.metadata;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnimplementedException;

/**
 * What a lease keeps.
 *
 * @param type {@code content}, {@code ingests}, {@code images} or {@code snapshots/<snapshotter>}
 * @param id digest, ref, name or key
 */
public record LeaseResource(String type, String id) {

    static final String CONTENT = "content";
    static final String INGESTS = "ingests";
    static final String IMAGES = "images";
    static final String SNAPSHOTS = "snapshots/";

    /**
     * @throws InvalidArgumentException if the id is none of its type
     * @throws UnimplementedException if the type is none that leases keep
     */
    public LeaseResource {
        if (id.isEmpty()) {
            throw new InvalidArgumentException("the id of a leased resource must not be empty");
        }
        switch (type) {
            case CONTENT -> Digest.parse(id);
            case INGESTS, IMAGES -> {}
            default -> {
                if (!type.startsWith(SNAPSHOTS) || type.length() == SNAPSHOTS.length()) {
                    throw new UnimplementedException(
                            "resource type \"%s\" cannot be leased: only content, ingests, images and snapshots/<snapshotter> can"
                                    .formatted(type));
                }
            }
        }
    }

    static LeaseResource snapshot(String snapshotter, String key) {
        return new LeaseResource(SNAPSHOTS + snapshotter, key);
    }
}
