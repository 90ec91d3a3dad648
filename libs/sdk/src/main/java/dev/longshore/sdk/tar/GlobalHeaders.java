package dev.longshore.sdk.tar;

/** What a reader does with PAX global headers (type {@code g}). */
public enum GlobalHeaders {
    /** They hold for all entries behind them, as POSIX says. */
    APPLY,
    /** They are checked and dropped. Layers are read like this, for containerd reads them so. */
    IGNORE
}
