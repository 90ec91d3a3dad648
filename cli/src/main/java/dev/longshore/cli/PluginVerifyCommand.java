package dev.longshore.cli;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.transport.grpc.SocketPath;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code longshore plugin verify}. */
@Command(
        name = "verify",
        description = {
            "Holds a running plugin, in whatever language it is written, to the contract of its type.",
            "Name its own socket with --address. What the plugin has already is left alone, and all that is made is removed.",
            "The exit status is 0 if every sentence passed or was skipped for the reason that is shown, else 1."
        },
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  longshore plugin verify --type snapshot --address /run/longshore/overlay.sock --rebase",
            "  longshore plugin verify --type snapshot --address /run/mine.sock --restart 'systemctl restart mine'",
            "  longshore plugin verify --type content --address /run/store.sock --only aDeletedBlobIsGone",
            "  longshore plugin verify --type diff --address /run/differ.sock --content /run/longshore/longshore.sock"
        })
final class PluginVerifyCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Option(
            names = {"-t", "--type"},
            required = true,
            paramLabel = "TYPE",
            description = "what it is, as in proxy_plugins: snapshot, content or diff")
    private String type = "snapshot";

    @Option(names = "--rebase", description = "it has the capability rebase: the parent may come with the commit")
    private boolean rebase;

    @Option(names = "--labels", description = "it is a content store that keeps labels itself")
    private boolean labels;

    @Option(names = "--strict", description = "ask for all that Longshore's own do, which is more than containerd's")
    private boolean strict;

    @Option(
            names = "--content",
            paramLabel = "SOCKET",
            description = "where a differ has its blobs from: the daemon that it serves (default: the plugin itself)")
    private Optional<Path> content = Optional.empty();

    @Option(
            names = "--name",
            paramLabel = "NAME",
            defaultValue = "longshore-verify",
            description = "the snapshotter to ask for, where one program serves several by name")
    private String name = "longshore-verify";

    @Option(
            names = "--only",
            paramLabel = "SENTENCE",
            description = "one sentence, by its words or the name of its method")
    private Optional<String> only = Optional.empty();

    @Option(
            names = "--restart",
            paramLabel = "COMMAND",
            description = "a shell command that restarts the plugin on what it has, for the sentences about that")
    private Optional<String> restart = Optional.empty();

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            defaultValue = "10",
            description = "what each call may take (default: ${DEFAULT-VALUE})")
    private int timeout = 10;

    @Override
    public Integer call() {
        Connection connection = ((Main) spec.root().userObject()).connection();
        if (timeout < 1 || timeout > 3600) {
            throw new InvalidArgumentException("--timeout %d: must be 1 to 3600 seconds".formatted(timeout));
        }
        Set<String> capabilities = new HashSet<>();
        if (rebase) {
            capabilities.add("rebase");
        }
        if (labels) {
            capabilities.add("labels");
        }
        Path socket = socket();
        return PluginReport.verify(
                type,
                socket,
                content.map(Path::toAbsolutePath).orElse(socket),
                name,
                capabilities,
                strict,
                Duration.ofSeconds(timeout),
                restart,
                only,
                connection.json(),
                spec.commandLine().getOut());
    }

    /** The daemon's own address is no answer: nobody verifies by accident what others work with. */
    private Path socket() {
        for (CommandSpec command = spec;
                command != null;
                command = command.parent() == null ? null : command.parent()) {
            if (command.commandLine().getParseResult().hasMatchedOption("--address")) {
                Path given = command.commandLine().getParseResult().matchedOptionValue("--address", Path.of(""));
                String text = given.toString();
                // What was unix:///run/x is one slash shorter as a path.
                return SocketPath.parse(
                        text.startsWith("unix:")
                                ? text.substring("unix:".length())
                                : given.toAbsolutePath().toString());
            }
        }
        throw new InvalidArgumentException("name the plugin's own socket with --address");
    }
}
