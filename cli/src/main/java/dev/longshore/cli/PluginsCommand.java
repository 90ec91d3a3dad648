package dev.longshore.cli;

import dev.longshore.api.services.introspection.v1.Plugin;
import dev.longshore.api.services.introspection.v1.PluginsRequest;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.text.Amounts;
import dev.longshore.cli.text.Table;
import dev.longshore.transport.grpc.Unary;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code longshore plugins}. */
@Command(
        name = "plugins",
        subcommands = PluginsReloadCommand.class,
        description = {
            "Lists the programs that the daemon is connected to: where they are, whether they are well, and since when.",
            "With --all, the daemon's own parts too. The exit status is 1 if one of the listed cannot be used."
        })
final class PluginsCommand extends DaemonCommand {

    @Option(
            names = {"-A", "--all"},
            description = "also what is compiled into the daemon")
    private boolean all;

    @Override
    int run(Daemon daemon) {
        List<Plugin> plugins = Unary.call(() -> daemon.introspection().plugins(PluginsRequest.getDefaultInstance()))
                .getPluginsList();
        Table table = new Table("NAME", "TYPE", "STATE", "SINCE", "ADDRESS", "PROBLEM");
        List<Map<String, Object>> tree = new ArrayList<>();
        int status = 0;
        for (Plugin plugin : plugins) {
            String address = plugin.getExportsOrDefault("address", "");
            if (address.isEmpty() && !all) {
                continue;
            }
            boolean usable = plugin.getInitErr().getCode() == 0;
            String state = plugin.getExportsOrDefault("state", usable ? "ok" : "unusable");
            String since = plugin.getExportsOrDefault("since", "");
            String problem = problem(plugin);
            table.row(plugin.getId(), shortType(plugin.getType()), state, ago(since), address, problem);
            Map<String, Object> object = new LinkedHashMap<>();
            object.put("id", plugin.getId());
            object.put("type", plugin.getType());
            object.put("usable", usable);
            object.put("state", state);
            object.put("since", since);
            object.put("address", address);
            object.put("problem", problem);
            object.put("lastError", plugin.getExportsOrDefault("last_error", ""));
            object.put("lastErrorAt", plugin.getExportsOrDefault("last_error_at", ""));
            object.put("capabilities", List.copyOf(plugin.getCapabilitiesList()));
            tree.add(object);
            status = usable ? status : 1;
        }
        show(table, tree);
        return status;
    }

    /** Why it cannot be used, else what is wrong with it although it can, and why it is still there, if it should not be. */
    private static String problem(Plugin plugin) {
        List<String> problems = new ArrayList<>();
        if (plugin.getInitErr().getCode() != 0) {
            problems.add(plugin.getInitErr().getMessage());
        } else if (plugin.containsExports("problem")) {
            problems.add(plugin.getExportsOrThrow("problem"));
        }
        if (plugin.containsExports("removal")) {
            problems.add("removal " + plugin.getExportsOrThrow("removal"));
        }
        return String.join("; ", problems);
    }

    /** {@code snapshotter} of {@code io.containerd.snapshotter.v1}. */
    private static String shortType(String type) {
        return type.startsWith("io.containerd.") ? type.substring("io.containerd.".length()) : type;
    }

    private static String ago(String since) {
        if (since.isEmpty()) {
            return "";
        }
        try {
            return Amounts.age(Duration.between(Instant.parse(since), Instant.now()));
        } catch (DateTimeException e) {
            return since; // not ours to judge
        }
    }
}
