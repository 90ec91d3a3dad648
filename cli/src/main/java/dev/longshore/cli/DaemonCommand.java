package dev.longshore.cli;

import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Screen;
import dev.longshore.cli.text.Table;
import dev.longshore.sdk.json.Json;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What the commands that speak to a daemon have in common. */
@Command(mixinStandardHelpOptions = true)
abstract class DaemonCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    final Connection connection() {
        return ((Main) spec.root().userObject()).connection();
    }

    @Override
    public final Integer call() throws Exception {
        try (Daemon daemon = connection().open()) {
            return run(daemon);
        }
    }

    /** @return the exit status */
    abstract int run(Daemon daemon) throws Exception;

    /** Prints the table, or with {@code --json} the tree. */
    final void show(Table table, Object tree) {
        print(connection().json() ? Json.pretty(tree) + "\n" : table.render(Screen.width()));
    }

    final void print(String text) {
        spec.commandLine().getOut().print(text);
        spec.commandLine().getOut().flush();
    }
}
