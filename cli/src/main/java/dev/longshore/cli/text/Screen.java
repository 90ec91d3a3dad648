package dev.longshore.cli.text;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where the program's output goes. */
public final class Screen {

    private static final int DEFAULT_WIDTH = 120;

    private Screen() {}

    /** Whether the descriptor (0, 1 or 2) is a terminal. */
    public static boolean isTerminal(int descriptor) {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor))
                    .toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException e) {
            return false;
        }
    }

    /** Characters that a table may be wide: the environment's {@code COLUMNS}, or a guess; 0, no limit, if it is not for a person. */
    public static int width() {
        if (!isTerminal(1)) {
            return 0;
        }
        String columns = System.getenv("COLUMNS");
        return columns != null && columns.matches("\\d{1,4}") ? Integer.parseInt(columns) : DEFAULT_WIDTH;
    }

    /** Prints without a line's end of its own. */
    public static void print(PrintStream out, String text) {
        out.print(text);
        out.flush();
    }
}
