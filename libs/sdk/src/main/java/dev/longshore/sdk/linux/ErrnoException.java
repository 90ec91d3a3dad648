package dev.longshore.sdk.linux;

import java.io.IOException;

/** A system call that failed. */
public final class ErrnoException extends IOException {

    private final int errno;

    ErrnoException(int errno, String call, String subject) {
        super("%s %s: %s (errno %d)".formatted(call, subject, Libc.INSTANCE.strerror(errno), errno));
        this.errno = errno;
    }

    /** See errno(3) and {@link Errno}. */
    public int errno() {
        return errno;
    }
}
