package dev.longshore.daemon.plugin;

import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.filter.Fields;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * A part of the daemon that clients can ask about.
 *
 * @param type e.g. {@code io.containerd.snapshotter.v1}
 * @param requires types of plugins that it builds on
 * @param platforms e.g. {@code linux/amd64}
 * @param problem why it cannot be used now; asked each time, empty while it can
 */
public record Plugin(
        String type,
        String id,
        List<String> requires,
        List<String> platforms,
        Map<String, String> exports,
        List<String> capabilities,
        Supplier<Optional<ContainerdException>> problem) {

    public Plugin {
        requires = List.copyOf(requires);
        platforms = List.copyOf(platforms);
        exports = Map.copyOf(exports);
        capabilities = List.copyOf(capabilities);
    }

    /** A part that is compiled in, and works because the daemon runs. */
    public static Plugin builtIn(String type, String id, String... requires) {
        return new Plugin(type, id, List.of(requires), List.of(), Map.of(), List.of(), Optional::empty);
    }

    /** Its type and id, as configurations name plugins. */
    public String uri() {
        return type + "." + id;
    }

    /** What filters see of it. */
    public Fields fields() {
        return path -> switch (path.getFirst()) {
            case "type" -> Fields.set(type);
            case "id" -> Fields.set(id);
            case "platforms" -> Fields.set(String.join(",", platforms));
            case "capabilities" -> Fields.set(String.join(",", capabilities));
            default -> Optional.empty();
        };
    }
}
