package dev.longshore.estargz;

/** What an entry of a table of contents is; the names in the JSON are these in lower case. */
public enum EntryType {
    DIR,
    REG,
    SYMLINK,
    HARDLINK,
    CHAR,
    BLOCK,
    FIFO,
    /** A further chunk of the regular file before it. */
    CHUNK
}
