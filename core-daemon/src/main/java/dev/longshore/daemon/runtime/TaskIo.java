package dev.longshore.daemon.runtime;

/**
 * Where a process reads and writes: paths of fifos, or URIs that the shim understands; empty for nowhere.
 *
 * @param terminal whether it gets a terminal; standard error is empty then
 */
public record TaskIo(String stdin, String stdout, String stderr, boolean terminal) {}
