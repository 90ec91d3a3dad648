package dev.longshore.sdk.log;

import java.util.Set;

/** Sets up logging to standard error, where journald and the suite's log files take it from. */
public final class Logging {

    private static final String PREFIX = "org.slf4j.simpleLogger.";

    /** The levels that a configuration may name. */
    public static final Set<String> LEVELS = Set.of("trace", "debug", "info", "warn", "error");

    private Logging() {}

    /**
     * To be called first thing in {@code main}, before any logger is made.
     *
     * @param level one of {@link #LEVELS}
     */
    public static void configure(String level) {
        set("defaultLogLevel", level);
        set("logFile", "System.err");
        set("showDateTime", "true");
        set("dateTimeFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX");
        set("showThreadName", "false");
        set("showShortLogName", "true");
        // Netty warns of socket options that unix sockets do not have, and greets at debug level only.
        set("log.io.netty", "error");
        set("log.io.grpc", "warn");
    }

    /**
     * To be called first thing in {@code main}, before any logger is made.
     *
     * @param level one of {@link #LEVELS}
     * @param json whether each line is to be an object of JSON
     */
    public static void configure(String level, boolean json) {
        configure(level);
        if (json) {
            System.setErr(new JsonLines(System.err));
        }
    }

    private static void set(String key, String value) {
        if (System.getProperty(PREFIX + key) == null) {
            System.setProperty(PREFIX + key, value);
        }
    }
}
