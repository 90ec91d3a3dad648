package dev.longshore.sdk.linux;

import com.sun.jna.Native;
import java.nio.charset.StandardCharsets;

/**
 * A listening unix stream socket that another process has bound and left to this one by the number of its descriptor, as
 * systemd does.
 *
 * @param path that it is bound to; begins with {@code @} for the abstract namespace, empty if it has no name
 */
public record ListenSocket(int descriptor, String path) {

    private static final int F_SETFD = 2;
    private static final int F_GETFL = 3;
    private static final int F_SETFL = 4;
    private static final int FD_CLOEXEC = 1;
    private static final int O_NONBLOCK = 04000;

    private static final int SOL_SOCKET = 1;
    private static final int SO_TYPE = 3;
    private static final int SO_ACCEPTCONN = 30;
    private static final int SO_DOMAIN = 39;
    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM = 1;

    /** Of sockaddr_un: the family comes first. */
    private static final int PATH_OFFSET = 2;

    private static final int ADDRESS_SIZE = 110;

    /**
     * Takes the socket over: children do not inherit it from now on, and accepting does not block.
     *
     * @throws ErrnoException if the descriptor is of no socket
     * @throws IllegalArgumentException if it is of another kind of socket
     */
    public static ListenSocket takeOver(int descriptor) throws ErrnoException {
        if (option(descriptor, SO_DOMAIN) != AF_UNIX
                || option(descriptor, SO_TYPE) != SOCK_STREAM
                || option(descriptor, SO_ACCEPTCONN) != 1) {
            throw new IllegalArgumentException(
                    "descriptor %d is no listening unix stream socket".formatted(descriptor));
        }
        fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL, 0) | O_NONBLOCK);
        return new ListenSocket(descriptor, path(descriptor));
    }

    private static String path(int descriptor) throws ErrnoException {
        byte[] address = new byte[ADDRESS_SIZE];
        int[] length = {address.length};
        if (Libc.INSTANCE.getsockname(descriptor, address, length) != 0) {
            throw new ErrnoException(Native.getLastError(), "getsockname", subject(descriptor));
        }
        int size = Math.min(length[0], address.length) - PATH_OFFSET;
        if (size <= 0) {
            return "";
        }
        boolean isAbstract = address[PATH_OFFSET] == 0;
        String path = new String(address, PATH_OFFSET, size, StandardCharsets.UTF_8);
        if (isAbstract) {
            return "@" + path.substring(1);
        }
        int end = path.indexOf('\0');
        return end < 0 ? path : path.substring(0, end);
    }

    private static int option(int descriptor, int option) throws ErrnoException {
        int[] value = new int[1];
        if (Libc.INSTANCE.getsockopt(descriptor, SOL_SOCKET, option, value, new int[] {Integer.BYTES}) != 0) {
            throw new ErrnoException(Native.getLastError(), "getsockopt", subject(descriptor));
        }
        return value[0];
    }

    private static int fcntl(int descriptor, int command, int argument) throws ErrnoException {
        int result = Libc.INSTANCE.fcntl(descriptor, command, argument);
        if (result < 0) {
            throw new ErrnoException(Native.getLastError(), "fcntl", subject(descriptor));
        }
        return result;
    }

    private static String subject(int descriptor) {
        return "descriptor " + descriptor;
    }
}
