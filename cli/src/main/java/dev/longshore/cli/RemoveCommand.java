package dev.longshore.cli;

import dev.longshore.api.v1.types.Process;
import dev.longshore.api.v1.types.Status;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.run.Containers;
import dev.longshore.cli.run.Tasks;
import dev.longshore.sdk.errors.FailedPreconditionException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code longshore rm}. */
@Command(
        name = "rm",
        aliases = "remove",
        description = "Removes containers, with the files that they have written and their logs.")
final class RemoveCommand extends DaemonCommand {

    @Parameters(paramLabel = "CONTAINER", arity = "1..*", description = "their ids")
    private List<String> ids = List.of();

    @Option(
            names = {"-f", "--force"},
            description = "kill those that run")
    private boolean force;

    @Override
    int run(Daemon daemon) throws InterruptedException {
        Containers containers = new Containers(daemon);
        Tasks tasks = new Tasks(daemon);
        for (String id : ids) {
            var _ = containers.find(id);
            Optional<Process> task = tasks.find(id);
            if (task.isPresent()) {
                boolean ended = task.get().getStatus() == Status.STOPPED;
                if (!ended && !force) {
                    throw new FailedPreconditionException(
                            "container %s is running: stop it with longshore stop %s, or give --force"
                                    .formatted(id, id));
                }
                if (ended) {
                    tasks.delete(id);
                } else {
                    tasks.stop(id, Tasks.SIGKILL, Duration.ZERO);
                }
            }
            containers.remove(id);
            print(id + "\n");
        }
        return 0;
    }
}
