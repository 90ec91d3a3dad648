package dev.longshore.sdk.snapshot;

/** What a snapshot is for. */
public enum Kind {
    /** Read-only over a committed parent, addressed by key. */
    VIEW,
    /** Writable, addressed by key, until it is committed. */
    ACTIVE,
    /** Immutable, addressed by name, may be a parent. */
    COMMITTED
}
