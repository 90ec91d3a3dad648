package dev.longshore.sdk.config;

import java.util.List;
import java.util.stream.Collectors;

/** A configuration that cannot be used. The message has a line for each thing that is wrong with it. */
public final class ConfigException extends Exception {

    public ConfigException(List<ConfigProblem> problems) {
        super(problems.stream().map(ConfigProblem::toString).distinct().collect(Collectors.joining("\n")));
    }

    public ConfigException(String message) {
        super(message);
    }
}
