package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;

/** Makes this process the parent of its orphaned descendants; see PR_SET_CHILD_SUBREAPER in prctl(2). */
public final class Subreaper {

    private static final int PR_SET_CHILD_SUBREAPER = 36;

    private Subreaper() {}

    /** From now on, and for good. */
    public static void enable() throws ErrnoException {
        NativeLong none = new NativeLong(0);
        if (Libc.INSTANCE.prctl(PR_SET_CHILD_SUBREAPER, new NativeLong(1), none, none, none) != 0) {
            throw new ErrnoException(Native.getLastError(), "prctl", "PR_SET_CHILD_SUBREAPER");
        }
    }
}
