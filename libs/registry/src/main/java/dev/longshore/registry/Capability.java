package dev.longshore.registry;

/** What a host may be asked for. */
public enum Capability {
    /** Manifests and blobs, by digest. */
    PULL,
    /** Tags. A mirror that nobody trusts with names has only {@link #PULL}. */
    RESOLVE,
    PUSH
}
