package dev.longshore.cli;

import dev.longshore.api.longshore.services.plugins.v1.PluginChange;
import dev.longshore.api.longshore.services.plugins.v1.PluginChange.Action;
import dev.longshore.api.longshore.services.plugins.v1.ReloadRequest;
import dev.longshore.api.longshore.services.plugins.v1.ReloadResponse;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Table;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.transport.grpc.Unary;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;

/** {@code longshore plugins reload}. */
@Command(
        name = "reload",
        description = {
            "Has the daemon read its configuration again, and says what has changed: plugins come, change and go without a"
                    + " restart, and running containers are not touched.",
            "The exit status is 1 if the configuration is broken, in which case nothing has changed, or a change was refused."
        })
final class PluginsReloadCommand extends DaemonCommand {

    @Override
    int run(Daemon daemon) {
        ReloadResponse response;
        try {
            response = Unary.call(() -> daemon.plugins().reload(ReloadRequest.getDefaultInstance()));
        } catch (UnimplementedException e) {
            throw new UnimplementedException(
                    "the daemon at %s cannot reload its plugins: it is not Longshore's, or of another version"
                            .formatted(daemon.socket()),
                    e);
        }
        Table table = new Table("PLUGIN", "ACTION", "REASON");
        List<Map<String, Object>> changes = new ArrayList<>();
        int status = 0;
        for (PluginChange change : response.getChangesList()) {
            String action = change.getAction().name().toLowerCase(Locale.ROOT);
            table.row(change.getPlugin(), action, change.getReason());
            Map<String, Object> object = new LinkedHashMap<>();
            object.put("plugin", change.getPlugin());
            object.put("action", action);
            object.put("reason", change.getReason());
            changes.add(object);
            status = change.getAction() == Action.REFUSED ? 1 : status;
        }
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("changes", changes);
        tree.put("needsRestart", List.copyOf(response.getNeedsRestartList()));
        tree.put("warnings", List.copyOf(response.getWarningsList()));
        if (connection().json() || !changes.isEmpty()) {
            show(table, tree);
        } else {
            print("No plugin has changed.\n");
        }
        if (!connection().json()) {
            response.getNeedsRestartList()
                    .forEach(key -> print("%s has changed: restart the daemon for it\n".formatted(key)));
            response.getWarningsList().forEach(warning -> print("warning: %s\n".formatted(warning)));
        }
        return status;
    }
}
