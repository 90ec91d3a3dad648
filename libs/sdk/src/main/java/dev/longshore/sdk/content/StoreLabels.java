package dev.longshore.sdk.content;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * The labels that are a store's own business and not only its clients': metadata over a store hands them through at a commit, and
 * takes those that the store then has of the blob.
 */
public final class StoreLabels {

    /**
     * The CID under which IPFS has the blob. A store that keeps blobs in IPFS gives it to each of its own. In a commit of an ingest to
     * which nothing was written, with a size and a digest, it says where the bytes are: such a store fetches them from there; others
     * refuse the commit, because bytes are missing.
     */
    public static final String IPFS_CID = "longshore.dev/ipfs.cid";

    private StoreLabels() {}

    /** Those of {@code labels} that are the store's. */
    public static Map<String, String> of(Map<String, String> labels) {
        Map<String, String> own = new HashMap<>(labels);
        own.keySet().retainAll(Set.of(IPFS_CID));
        return Map.copyOf(own);
    }
}
