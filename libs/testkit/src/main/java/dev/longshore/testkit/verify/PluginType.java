package dev.longshore.testkit.verify;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.transport.proxy.PluginConnection;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** The contracts that a live program can be held to, by the word for {@code type} in {@code proxy_plugins}. */
public enum PluginType {
    SNAPSHOT("Snapshots", LiveSnapshotterContract.class, true, PluginType::askSnapshots),
    CONTENT("Content", LiveContentStoreContract.class, false, PluginType::askContent),
    DIFF("Diff", LiveDifferContract.class, true, PluginType::askDiff);

    /** What no program has. */
    private static final String NOTHING = "longshore-verify/nothing";

    /** A call that finds out whether the service is there; it fails as a rule. */
    @FunctionalInterface
    interface Probe {
        void ask(PluginConnection connection, CallContext context);
    }

    private final String service;
    private final Class<?> contract;
    private final boolean mounts;

    @SuppressWarnings("ImmutableEnumChecker") // static methods, which keep nothing
    private final Probe probe;

    PluginType(String service, Class<?> contract, boolean mounts, Probe probe) {
        this.service = service;
        this.contract = contract;
        this.mounts = mounts;
        this.probe = probe;
    }

    /** The last word of the gRPC service's name. */
    String service() {
        return service;
    }

    /** The tests. */
    Class<?> contract() {
        return contract;
    }

    /** Whether what the program answers is mounted here, which takes root. */
    boolean mounts() {
        return mounts;
    }

    Probe probe() {
        return probe;
    }

    private static void askSnapshots(PluginConnection connection, CallContext context) {
        var _ = connection.snapshotter(NOTHING).stat(context, NOTHING);
    }

    private static void askDiff(PluginConnection connection, CallContext context) {
        Descriptor nothing =
                new Descriptor(MediaTypes.OCI_LAYER, Digest.sha256(NOTHING.getBytes(StandardCharsets.UTF_8)), 1);
        var _ = connection.applier().apply(context, nothing, List.of(), Map.of(), false);
    }

    private static void askContent(PluginConnection connection, CallContext context) {
        var _ = connection.contentStore().info(context, Digest.sha256(NOTHING.getBytes(StandardCharsets.UTF_8)));
    }
}
