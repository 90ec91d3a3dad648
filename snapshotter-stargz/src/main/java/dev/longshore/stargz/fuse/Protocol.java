package dev.longshore.stargz.fuse;

/** Numbers of the kernel's {@code fuse.h}, version 7.31 and later. Sizes in bytes. */
final class Protocol {

    static final int MAJOR = 7;
    /** Has the flags that we rely on: caching of symbolic links, folders that need not be opened. */
    static final int OLDEST_MINOR = 31;

    static final int MINOR = 42;

    // Kinds of requests.
    static final int LOOKUP = 1;
    static final int FORGET = 2;
    static final int GETATTR = 3;
    static final int SETATTR = 4;
    static final int READLINK = 5;
    static final int SYMLINK = 6;
    static final int MKNOD = 8;
    static final int MKDIR = 9;
    static final int UNLINK = 10;
    static final int RMDIR = 11;
    static final int RENAME = 12;
    static final int LINK = 13;
    static final int OPEN = 14;
    static final int READ = 15;
    static final int WRITE = 16;
    static final int STATFS = 17;
    static final int RELEASE = 18;
    static final int FSYNC = 20;
    static final int SETXATTR = 21;
    static final int GETXATTR = 22;
    static final int LISTXATTR = 23;
    static final int REMOVEXATTR = 24;
    static final int INIT = 26;
    static final int OPENDIR = 27;
    static final int READDIR = 28;
    static final int RELEASEDIR = 29;
    static final int FSYNCDIR = 30;
    static final int CREATE = 35;
    static final int INTERRUPT = 36;
    static final int DESTROY = 38;
    static final int NOTIFY_REPLY = 41;
    static final int BATCH_FORGET = 42;
    static final int FALLOCATE = 43;
    static final int READDIRPLUS = 44;
    static final int RENAME2 = 45;
    static final int COPY_FILE_RANGE = 47;
    static final int SYNCFS = 50;
    static final int TMPFILE = 51;

    // Flags of INIT.
    static final long ASYNC_READ = 1;
    static final long AUTO_INVAL_DATA = 1 << 12;
    static final long DO_READDIRPLUS = 1 << 13;
    static final long NO_OPEN_SUPPORT = 1 << 17;
    static final long PARALLEL_DIROPS = 1 << 18;
    static final long MAX_PAGES = 1 << 22;
    static final long CACHE_SYMLINKS = 1 << 23;
    static final long NO_OPENDIR_SUPPORT = 1 << 24;
    static final long INIT_EXT = 1 << 30;
    static final long PASSTHROUGH = 1L << 37;
    static final long HAS_RESEND = 1L << 39;
    static final long ALLOW_IDMAP = 1L << 40;

    // Flags of the answer to OPEN.
    static final int FOPEN_KEEP_CACHE = 1 << 1;
    static final int FOPEN_NOFLUSH = 1 << 5;
    static final int FOPEN_PASSTHROUGH = 1 << 7;

    /** Tells the kernel to send again what it waits for an answer to. */
    static final int NOTIFY_RESEND = 7;

    static final int IN_HEADER = 40;
    static final int OUT_HEADER = 16;
    static final int ATTR = 88;
    static final int ENTRY_OUT = 40 + ATTR;
    static final int ATTR_OUT = 16 + ATTR;
    static final int INIT_OUT = 64;
    static final int OPEN_OUT = 16;
    static final int STATFS_OUT = 80;
    static final int GETXATTR_OUT = 8;
    static final int DIRENT = 24;

    /** What a request's buffer must be at least. */
    static final int MIN_READ_BUFFER = 8192;

    private Protocol() {}
}
