package dev.longshore.cli;

import dev.longshore.api.services.containers.v1.Container;
import dev.longshore.api.v1.types.Process;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.run.Containers;
import dev.longshore.cli.run.Tasks;
import dev.longshore.cli.text.Amounts;
import dev.longshore.cli.text.Table;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code longshore ps}. */
@Command(name = "ps", description = "Lists containers that run; with --all, those that do not too.")
final class PsCommand extends DaemonCommand {

    @Option(
            names = {"-A", "--all"},
            description = "also those that do not run")
    private boolean all;

    @Option(
            names = {"-q", "--quiet"},
            description = "print ids only")
    private boolean quiet;

    @Override
    int run(Daemon daemon) {
        Map<String, Process> tasks = new Tasks(daemon)
                .list().stream().collect(Collectors.toMap(Process::getId, Function.identity(), (a, _) -> a));
        Table table = quiet ? new Table("ID") : new Table("ID", "IMAGE", "STATUS", "PID", "CREATED", "RUNTIME");
        List<Map<String, Object>> tree = new ArrayList<>();
        for (Container container : new Containers(daemon).list()) {
            Optional<Process> task = Optional.ofNullable(tasks.get(container.getId()));
            String status = task.map(process -> process.getStatus().name().toLowerCase(Locale.ROOT))
                    .orElse("created");
            if (!all && !status.equals("running") && !status.equals("paused")) {
                continue;
            }
            if (quiet) {
                table.row(container.getId());
                tree.add(Map.of("id", container.getId()));
                continue;
            }
            Instant created = Instant.ofEpochSecond(container.getCreatedAt().getSeconds());
            String exited = task.filter(_ -> status.equals("stopped"))
                    .map(process -> " (" + process.getExitStatus() + ")")
                    .orElse("");
            table.row(
                    container.getId(),
                    container.getImage(),
                    status + exited,
                    task.filter(_ -> !status.equals("stopped"))
                            .map(process -> Integer.toString(process.getPid()))
                            .orElse(""),
                    Amounts.age(Duration.between(created, Instant.now())) + " ago",
                    container.getRuntime().getName());
            Map<String, Object> object = new LinkedHashMap<>();
            object.put("id", container.getId());
            object.put("image", container.getImage());
            object.put("status", status);
            task.ifPresent(process -> {
                object.put("pid", process.getPid());
                if (status.equals("stopped")) {
                    object.put("exitStatus", process.getExitStatus());
                }
            });
            object.put("createdAt", created.toString());
            object.put("runtime", container.getRuntime().getName());
            object.put("snapshotter", container.getSnapshotter());
            object.put("labels", container.getLabelsMap());
            tree.add(object);
        }
        show(table, tree);
        return 0;
    }
}
