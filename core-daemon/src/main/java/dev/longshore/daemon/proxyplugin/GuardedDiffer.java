package dev.longshore.daemon.proxyplugin;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.CompareOptions;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.typeurl.TypedValue;
import java.util.List;
import java.util.Map;

/** The applier and the comparer of a plugin, each call by the rules of {@link ProxyPlugin#call}. */
final class GuardedDiffer implements Applier, Comparer {

    private final ProxyPlugin plugin;

    GuardedDiffer(ProxyPlugin plugin) {
        this.plugin = plugin;
    }

    @Override
    public Descriptor apply(
            CallContext context,
            Descriptor layer,
            List<Mount> mounts,
            Map<String, TypedValue> payloads,
            boolean syncFileSystem) {
        return plugin.call(
                "apply",
                context,
                (connection, bounded) -> connection.applier().apply(bounded, layer, mounts, payloads, syncFileSystem));
    }

    @Override
    public Descriptor compare(CallContext context, List<Mount> lower, List<Mount> upper, CompareOptions options) {
        return plugin.call(
                "diff",
                context,
                (connection, bounded) -> connection.comparer().compare(bounded, lower, upper, options));
    }
}
