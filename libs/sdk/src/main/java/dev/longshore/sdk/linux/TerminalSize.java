package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The size of a terminal; see TIOCSWINSZ in tty_ioctl(4). */
public final class TerminalSize {

    private static final long TIOCSWINSZ = 0x5414;

    private TerminalSize() {}

    /** Tells the terminal behind {@code fd}, and the processes on it, its size in characters. */
    public static void set(int fd, int columns, int rows) throws ErrnoException {
        ByteBuffer size = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
        size.putShort((short) rows).putShort((short) columns);
        if (Libc.INSTANCE.ioctl(fd, new NativeLong(TIOCSWINSZ), size.array()) != 0) {
            throw new ErrnoException(Native.getLastError(), "ioctl TIOCSWINSZ", Integer.toString(fd));
        }
    }
}
