package dev.longshore.cli;

import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.UnavailableException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The program {@code longshore}. */
@Command(
        name = "longshore",
        description = "Runs containers on a Longshore daemon, or on containerd.",
        synopsisSubcommandLabel = "COMMAND",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        subcommands = {
            RunCommand.class,
            PsCommand.class,
            ExecCommand.class,
            LogsCommand.class,
            StopCommand.class,
            RemoveCommand.class,
            ImageCommand.class,
            PullCommand.class,
            PushCommand.class,
            PluginsCommand.class,
            PluginCommand.class,
            DoctorCommand.class,
            CompletionCommand.class,
            HelpCommand.class
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore image import app.tar",
            "  longshore run --rm -it docker.io/library/app:1 sh",
            "  longshore run -d --name web docker.io/library/app:1",
            "  longshore logs -f web",
            "",
            "Environment:",
            "  LONGSHORE_ADDRESS    the daemon's socket, if not given with --address",
            "  LONGSHORE_NAMESPACE  the namespace, if not given with --namespace",
            "  NO_COLOR             no colors in help and errors",
            "",
            "Exit status: that of the container for run and exec; 125 if it could not be run;",
            "1 for other errors; 2 for a wrong command line."
        })
public final class Main implements Runnable {

    /** Of run and exec, when it is not the container that failed. */
    static final int NOT_RUN = 125;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Mixin
    private final Connection connection = new Connection();

    Main() {}

    Connection connection() {
        return connection;
    }

    public static void main(String[] arguments) {
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        CommandLine line = new CommandLine(new Main());
        line.setExecutionExceptionHandler((error, command, _) -> report(error, command));
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setUsageHelpAutoWidth(true);
        // What follows the image is for the container.
        line.getSubcommands().forEach((name, command) -> {
            if (name.equals("run") || name.equals("exec")) {
                command.setStopAtPositional(true);
            }
        });
        return line;
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    private static int report(Exception error, CommandLine command) throws Exception {
        String message = switch (error) {
            case UnavailableException e -> e.getMessage() + ". Is the daemon well? See: longshore doctor";
            case ContainerdException e -> e.getMessage();
            case IOException e ->
                e.getMessage() == null ? e.toString() : e.getClass().getSimpleName() + ": " + e.getMessage();
            default -> throw error;
        };
        PrintWriter err = command.getErr();
        err.println(command.getColorScheme().errorText("longshore: " + message));
        for (Throwable suppressed : error.getSuppressed()) {
            err.println("longshore: and while cleaning up: " + suppressed.getMessage());
        }
        err.flush();
        return command.getCommand() instanceof RunCommand || command.getCommand() instanceof ExecCommand ? NOT_RUN : 1;
    }

    /** The version of the jar. */
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {
                "longshore "
                        + Optional.ofNullable(Main.class.getPackage().getImplementationVersion())
                                .orElse("(not from a jar)")
            };
        }
    }
}
