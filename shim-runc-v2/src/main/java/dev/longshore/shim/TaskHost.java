package dev.longshore.shim;

import dev.longshore.sdk.linux.Subreaper;
import java.io.IOException;
import java.nio.file.Path;

/**
 * What all containers of a shim have in common.
 *
 * @param launcher the program that keeps terminals
 */
record TaskHost(String namespace, Path launcher, ExitWatcher exits, OomWatcher ooms, EventForwarder events) {

    /** Makes this process the one that is told of the ends of processes. */
    static TaskHost start(String namespace, Path launcher, EventForwarder events) throws IOException {
        Subreaper.enable();
        return new TaskHost(namespace, launcher, new ExitWatcher(), new OomWatcher(), events);
    }
}
