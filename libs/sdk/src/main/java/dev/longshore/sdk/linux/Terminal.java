package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The terminal behind a descriptor of this process; see termios(3) and ioctl_tty(2). */
public final class Terminal {

    private static final long TCGETS = 0x5401;
    private static final long TCSETS = 0x5402;
    private static final long TIOCGWINSZ = 0x5413;

    /** Of the kernel's structure: four words of flags, the line discipline, the control characters. */
    private static final int TERMIOS_SIZE = 36;

    private static final int OUTPUT_FLAGS = 4;
    private static final int CONTROL_FLAGS = 8;
    private static final int LOCAL_FLAGS = 12;
    private static final int VTIME = 17 + 5;
    private static final int VMIN = 17 + 6;

    /** IGNBRK, BRKINT, PARMRK, ISTRIP, INLCR, IGNCR, ICRNL, IXON. */
    private static final int COOKED_INPUT = 01 | 02 | 010 | 040 | 0100 | 0200 | 0400 | 02000;

    private static final int OPOST = 01;

    /** ISIG, ICANON, ECHO, ECHONL, IEXTEN. */
    private static final int COOKED_LOCAL = 01 | 02 | 010 | 0100 | 0100000;

    /** CSIZE, PARENB. */
    private static final int CHARACTER_SIZE = 060 | 0400;

    private static final int CS8 = 060;

    private final int fd;

    /** @param fd e.g. 0 for standard input */
    public Terminal(int fd) {
        this.fd = fd;
    }

    /** In characters. */
    public record Size(int columns, int rows) {}

    public Size size() throws ErrnoException {
        ByteBuffer size = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
        ioctl(TIOCGWINSZ, size.array(), "TIOCGWINSZ");
        return new Size(Short.toUnsignedInt(size.getShort(2)), Short.toUnsignedInt(size.getShort(0)));
    }

    /** A setting that can be restored. */
    public interface Restore extends AutoCloseable {
        @Override
        void close() throws ErrnoException;
    }

    /**
     * Hands every byte through as it is typed, without echo, editing or signals.
     *
     * @return restores what was set before; may be closed more than once
     */
    public Restore raw() throws ErrnoException {
        byte[] before = new byte[TERMIOS_SIZE];
        ioctl(TCGETS, before, "TCGETS");
        ByteBuffer raw = ByteBuffer.wrap(before.clone()).order(ByteOrder.nativeOrder());
        raw.putInt(0, raw.getInt(0) & ~COOKED_INPUT);
        raw.putInt(OUTPUT_FLAGS, raw.getInt(OUTPUT_FLAGS) & ~OPOST);
        raw.putInt(CONTROL_FLAGS, (raw.getInt(CONTROL_FLAGS) & ~CHARACTER_SIZE) | CS8);
        raw.putInt(LOCAL_FLAGS, raw.getInt(LOCAL_FLAGS) & ~COOKED_LOCAL);
        raw.put(VMIN, (byte) 1).put(VTIME, (byte) 0);
        ioctl(TCSETS, raw.array(), "TCSETS");
        return () -> ioctl(TCSETS, before, "TCSETS");
    }

    private void ioctl(long request, byte[] argument, String name) throws ErrnoException {
        if (Libc.INSTANCE.ioctl(fd, new NativeLong(request), argument) != 0) {
            throw new ErrnoException(Native.getLastError(), name, "descriptor " + fd);
        }
    }
}
