package dev.longshore.cli.run;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a container is to be like, over what its image says.
 *
 * @param arguments of the command line; empty to run what the image runs
 * @param entrypoint instead of the image's
 * @param environment {@code NAME=value}, over the image's
 * @param workingFolder instead of the image's
 * @param memoryLimit in bytes
 * @param cpus how many may be busy, e.g. 0.5
 * @param hostNetwork the machine's network instead of one with nothing but a loopback device
 * @param cgroupV2 whether the machine has cgroups of version 2 alone
 */
public record SpecRequest(
        String id,
        String namespace,
        List<String> arguments,
        Optional<String> entrypoint,
        List<String> environment,
        Optional<String> workingFolder,
        boolean terminal,
        boolean readOnly,
        boolean hostNetwork,
        boolean privileged,
        boolean cgroupV2,
        List<MountFlag> mounts,
        OptionalLong memoryLimit,
        Optional<Double> cpus) {

    public SpecRequest {
        arguments = List.copyOf(arguments);
        environment = List.copyOf(environment);
        mounts = List.copyOf(mounts);
    }
}
