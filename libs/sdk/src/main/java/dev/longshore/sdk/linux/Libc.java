package dev.longshore.sdk.linux;

import com.sun.jna.Library;
import com.sun.jna.Native;

/** The C library's functions as JNA maps them; the typed calls over it throw {@link ErrnoException}. */
interface Libc extends Library {

    Libc INSTANCE = Native.load("c", Libc.class);

    int mount(byte[] source, byte[] target, byte[] type, long flags, byte[] data);

    int umount2(byte[] target, int flags);

    String strerror(int errno);
}
