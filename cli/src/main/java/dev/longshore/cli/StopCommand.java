package dev.longshore.cli;

import dev.longshore.api.services.namespaces.v1.ListNamespacesRequest;
import dev.longshore.api.v1.types.Process;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.run.Containers;
import dev.longshore.cli.run.Tasks;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.transport.grpc.Unary;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code longshore stop}. */
@Command(name = "stop", description = "Asks containers to end, and makes those end that do not.")
final class StopCommand extends DaemonCommand {

    @Parameters(paramLabel = "CONTAINER", arity = "0..*", description = "their ids")
    private List<String> ids = List.of();

    @Option(names = "--all", description = "all of the namespace")
    private boolean all;

    @Option(names = "--all-namespaces", description = "with --all: of every namespace")
    private boolean allNamespaces;

    @Option(
            names = {"--timeout"},
            paramLabel = "SECONDS",
            defaultValue = "10",
            description = "how long they have to end (default: ${DEFAULT-VALUE})")
    private int timeout = 10;

    @Override
    int run(Daemon daemon) throws InterruptedException {
        if (all != ids.isEmpty()) {
            throw new InvalidArgumentException("name the containers to stop, or give --all");
        }
        if (!all) {
            return stop(daemon, ids);
        }
        List<String> namespaces = allNamespaces
                ? Unary.call(() -> daemon.namespaces().list(ListNamespacesRequest.getDefaultInstance()))
                        .getNamespacesList()
                        .stream()
                        .map(namespace -> namespace.getName())
                        .toList()
                : List.of(daemon.namespace().value());
        int status = 0;
        for (String namespace : namespaces) {
            Daemon view = daemon.in(new NamespaceId(namespace));
            List<String> running =
                    new Tasks(view).list().stream().map(Process::getId).toList();
            status = Math.max(status, stop(view, running));
        }
        return status;
    }

    /** All at once: each may take its time to end. */
    private int stop(Daemon daemon, List<String> running) throws InterruptedException {
        Map<String, Future<Boolean>> stopping = new LinkedHashMap<>();
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            for (String id : running) {
                stopping.put(id, executor.submit(() -> stop(daemon, id)));
            }
        }
        List<ContainerdException> failures = new ArrayList<>();
        for (Map.Entry<String, Future<Boolean>> one : stopping.entrySet()) {
            try {
                print(one.getKey() + (one.getValue().get() ? "\n" : " was not running\n"));
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof ContainerdException failure)) {
                    throw new IllegalStateException("stopping " + one.getKey() + " failed", e.getCause());
                }
                failures.add(failure);
            }
        }
        if (!failures.isEmpty()) {
            ContainerdException first = failures.getFirst();
            failures.subList(1, failures.size()).forEach(first::addSuppressed);
            throw first;
        }
        return 0;
    }

    private boolean stop(Daemon daemon, String id) throws InterruptedException {
        int signal = Tasks.SIGTERM;
        try {
            signal = Containers.stopSignal(new Containers(daemon).find(id));
        } catch (NotFoundException e) {
            if (!all) {
                throw e;
            }
        }
        return new Tasks(daemon).stop(id, signal, Duration.ofSeconds(timeout)).isPresent();
    }
}
