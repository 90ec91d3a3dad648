package dev.longshore.daemon.diff;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.List;

/**
 * A program that turns one media type into another, on standard input and output.
 *
 * @param id what a client addresses a payload to
 * @param accepts media types
 * @param returns the media type of what it writes
 * @param path of the program; without a slash it is looked for in PATH
 * @param env {@code KEY=value}, added to the daemon's own environment
 */
public record StreamProcessor(
        String id, List<String> accepts, String returns, String path, List<String> args, List<String> env) {

    public StreamProcessor {
        accepts = List.copyOf(accepts);
        args = List.copyOf(args);
        env = List.copyOf(env);
        for (String variable : env) {
            if (variable.indexOf('=') < 1 || variable.indexOf('\0') >= 0) {
                throw new InvalidArgumentException(
                        "env of stream processor \"%s\" must be of the form KEY=value".formatted(id));
            }
        }
    }
}
