package dev.longshore.shim;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.namespace.Identifiers;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

/**
 * What a shim must know of a container to take it over from one that died.
 *
 * @param startTime of the first process, in clock ticks since boot: a pid alone may meanwhile be another's
 * @param terminalPid of the process that keeps its terminal; 0 if there is none
 */
record TaskRecord(
        String id,
        Path bundle,
        int pid,
        long startTime,
        boolean started,
        int terminalPid,
        ProcessStdio.Addresses addresses) {

    void save() throws IOException {
        Properties properties = new Properties();
        properties.setProperty("id", id);
        properties.setProperty("pid", Integer.toString(pid));
        properties.setProperty("start-time", Long.toString(startTime));
        properties.setProperty("started", Boolean.toString(started));
        properties.setProperty("terminal-pid", Integer.toString(terminalPid));
        properties.setProperty("stdin", addresses.stdin());
        properties.setProperty("stdout", addresses.stdout());
        properties.setProperty("stderr", addresses.stderr());
        properties.setProperty("terminal", Boolean.toString(addresses.terminal()));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        properties.store(bytes, null);
        StateFile.write(new TaskBundle(bundle).record(), bytes.toByteArray());
    }

    /** @throws IOException if there is none, or it cannot be read */
    static TaskRecord load(Path bundle) throws IOException {
        Path file = new TaskBundle(bundle).record();
        Properties properties = new Properties();
        try (InputStream in = Files.newInputStream(file)) {
            properties.load(in);
            return parse(properties, bundle);
        } catch (IllegalArgumentException | InvalidArgumentException e) {
            throw new IOException("%s is no record of a task: %s".formatted(file, e.getMessage()), e);
        }
    }

    private static TaskRecord parse(Properties properties, Path bundle) {
        return new TaskRecord(
                Identifiers.check("container", properties.getProperty("id", "")),
                bundle,
                Integer.parseInt(properties.getProperty("pid", "0")),
                Long.parseLong(properties.getProperty("start-time", "0")),
                Boolean.parseBoolean(properties.getProperty("started")),
                Integer.parseInt(properties.getProperty("terminal-pid", "0")),
                new ProcessStdio.Addresses(
                        properties.getProperty("stdin", ""),
                        properties.getProperty("stdout", ""),
                        properties.getProperty("stderr", ""),
                        Boolean.parseBoolean(properties.getProperty("terminal"))));
    }

    /** When a process started, in clock ticks since boot; 0 if there is no such process. See proc_pid_stat(5). */
    static long startTime(int pid) {
        try {
            String stat = Files.readString(Path.of("/proc", Integer.toString(pid), "stat"));
            // The name, in parentheses, may hold anything; field 22 is the twentieth behind it.
            return Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ", 21)[19]);
        } catch (IOException e) {
            return 0;
        }
    }
}
