package dev.longshore.cli.run;

import java.util.List;
import java.util.Optional;

/**
 * Another process for a running container.
 *
 * @param environment {@code NAME=value}, over the container's
 * @param user as the image specification writes it; empty for the container's
 * @param interactive whether it gets this program's input
 */
public record ExecRequest(
        String containerId,
        List<String> arguments,
        List<String> environment,
        Optional<String> workingFolder,
        String user,
        boolean terminal,
        boolean interactive) {

    public ExecRequest {
        arguments = List.copyOf(arguments);
        environment = List.copyOf(environment);
    }
}
