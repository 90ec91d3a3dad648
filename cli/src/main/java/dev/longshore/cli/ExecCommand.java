package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.run.ExecRequest;
import dev.longshore.cli.run.Runner;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code longshore exec}. */
@Command(
        name = "exec",
        description = "Runs another program in a running container, and ends with its exit status.",
        footerHeading = "%nExample:%n",
        footer = "  longshore exec -it web sh")
final class ExecCommand extends DaemonCommand {

    @Parameters(index = "0", paramLabel = "CONTAINER", description = "its id")
    private String container = "";

    @Parameters(index = "1..*", paramLabel = "ARG", arity = "1..*", description = "the program and its arguments")
    private List<String> arguments = List.of();

    @Option(
            names = {"-i", "--interactive"},
            description = "pass this terminal's input on")
    private boolean interactive;

    @Option(
            names = {"-t", "--tty"},
            description = "give it a terminal")
    private boolean terminal;

    @Option(
            names = {"-e", "--env"},
            paramLabel = "NAME=VALUE",
            description = "set a variable")
    private List<String> environment = List.of();

    @Option(
            names = {"-w", "--cwd", "--workdir"},
            paramLabel = "FOLDER",
            description = "where it starts")
    private @Nullable String workingFolder;

    @Option(
            names = {"-u", "--user"},
            paramLabel = "USER[:GROUP]",
            description = "by name, as in the image, or number")
    private String user = "";

    @Override
    int run(Daemon daemon) throws IOException, InterruptedException {
        return new Runner(daemon)
                .exec(new ExecRequest(
                        container,
                        arguments,
                        RunCommand.environment(environment),
                        Optional.ofNullable(workingFolder),
                        user,
                        terminal,
                        interactive));
    }
}
