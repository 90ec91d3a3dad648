package dev.longshore.cli;

import dev.longshore.api.services.containers.v1.Container;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.run.Containers;
import dev.longshore.cli.run.Tasks;
import dev.longshore.sdk.errors.FailedPreconditionException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code longshore logs}. */
@Command(name = "logs", description = "Prints the output of a detached container.")
final class LogsCommand extends DaemonCommand {

    private static final long LOOK_MILLIS = 200;

    @Parameters(paramLabel = "CONTAINER", description = "its id")
    private String container = "";

    @Option(
            names = {"-f", "--follow"},
            description = "go on until the container has ended")
    private boolean follow;

    @Override
    int run(Daemon daemon) throws IOException, InterruptedException {
        Container found = new Containers(daemon).find(container);
        Path log = Containers.log(found)
                .orElseThrow(() -> new FailedPreconditionException(
                        "container %s has no log: it was not started with longshore run --detach"
                                .formatted(container)));
        CountDownLatch ended = new CountDownLatch(1);
        Tasks tasks = new Tasks(daemon);
        if (follow && tasks.find(container).isPresent()) {
            CompletableFuture<Integer> exit = tasks.exit(container, "");
            var _ = exit.whenComplete((_, _) -> ended.countDown());
        } else {
            ended.countDown();
        }
        try (InputStream in = Files.newInputStream(log)) {
            OutputStream out = new FileOutputStream(FileDescriptor.out);
            boolean last;
            do {
                // In this order: what was written before the end is read after it.
                last = ended.await(LOOK_MILLIS, TimeUnit.MILLISECONDS);
                in.transferTo(out);
            } while (!last);
        }
        return 0;
    }
}
