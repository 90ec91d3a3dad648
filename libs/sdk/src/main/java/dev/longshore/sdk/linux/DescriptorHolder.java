package dev.longshore.sdk.linux;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.StringArray;

/**
 * A process that does nothing but have a descriptor, so that what is behind it outlives this process: who comes after it takes it with
 * {@link FuseDevice#takeFrom}. It is a {@code sleep infinity} in a session of its own, without any other descriptor of ours. Needs glibc
 * 2.34.
 *
 * <p>It is this process' child, which must reap it if it ends it; one of an earlier process is the child of init.
 */
public final class DescriptorHolder {

    /** The number that the descriptor has there. */
    public static final int DESCRIPTOR = 3;

    private static final String PROGRAM = "/bin/sleep";

    private static final int O_RDWR = 2;
    private static final short POSIX_SPAWN_SETSIGMASK = 0x08;
    private static final short POSIX_SPAWN_SETSID = 0x80;

    /** More than glibc's structures have on any platform. */
    private static final int STRUCTURE_SIZE = 1024;

    private static final int SIGSET_SIZE = 128;

    private DescriptorHolder() {}

    /**
     * Starts one.
     *
     * @param note for who looks at the process: its only environment variable, {@code LONGSHORE_HOLDS}
     * @return its pid
     * @throws ErrnoException as posix_spawn(3) says
     */
    public static int start(FuseDevice device, String note) throws ErrnoException {
        Libc libc = Libc.INSTANCE;
        try (Memory actions = new Memory(STRUCTURE_SIZE);
                Memory attributes = new Memory(STRUCTURE_SIZE)) {
            check(libc.posix_spawn_file_actions_init(actions));
            check(libc.posix_spawnattr_init(attributes));
            try {
                addActions(actions, device.descriptor());
                check(libc.posix_spawnattr_setsigmask(attributes, new byte[SIGSET_SIZE]));
                check(libc.posix_spawnattr_setflags(attributes, (short) (POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID)));
                Pointer arguments = new StringArray(new String[] {"sleep", "infinity"});
                Pointer environment = new StringArray(new String[] {"LONGSHORE_HOLDS=" + note});
                int[] pid = new int[1];
                check(libc.posix_spawn(pid, CString.of(PROGRAM), actions, attributes, arguments, environment));
                return pid[0];
            } finally {
                libc.posix_spawnattr_destroy(attributes);
                libc.posix_spawn_file_actions_destroy(actions);
            }
        }
    }

    private static void addActions(Pointer actions, int descriptor) throws ErrnoException {
        Libc libc = Libc.INSTANCE;
        check(libc.posix_spawn_file_actions_adddup2(actions, descriptor, DESCRIPTOR));
        for (int standard = 0; standard <= 2; standard++) {
            check(libc.posix_spawn_file_actions_addopen(actions, standard, CString.of("/dev/null"), O_RDWR, 0));
        }
        // The JDK opens files that are not closed by an exec, because its own way to start a program closes everything.
        check(libc.posix_spawn_file_actions_addclosefrom_np(actions, DESCRIPTOR + 1));
        check(libc.posix_spawn_file_actions_addchdir_np(actions, CString.of("/")));
    }

    /** These functions return the error. */
    private static void check(int errno) throws ErrnoException {
        if (errno != 0) {
            throw new ErrnoException(errno, "posix_spawn", PROGRAM);
        }
    }
}
