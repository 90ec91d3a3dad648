package dev.longshore.testkit.verify;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.CompareOptions;
import dev.longshore.sdk.diff.Comparer;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.testkit.DifferContract;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract over the socket of a differ that is up, with blobs in the content store that it reads from. */
@ExtendWith(LivePlugin.Parameter.class)
final class LiveDifferContract extends DifferContract {

    /** No garbage collector takes a blob between two calls. */
    private static final Map<String, String> KEPT = Map.of("containerd.io/gc.root", "longshore-verify");

    private final LivePlugin plugin;
    private final String prefix;
    private @Nullable ScopedContentStore store;

    LiveDifferContract(LivePlugin plugin) {
        this.plugin = plugin;
        this.prefix = plugin.newPrefix();
    }

    @Override
    protected String namespace() {
        return LivePlugin.NAMESPACE;
    }

    @Override
    protected ContentStore openContent(Path root) {
        store = new ScopedContentStore(plugin, plugin.content().contentStore(), prefix, KEPT);
        return store;
    }

    @Override
    protected Differ open(ContentStore content, Path scratch) {
        ScopedContentStore blobs = Objects.requireNonNull(store, "opened before");
        Applier applier = plugin.connection().applier();
        Comparer comparer = plugin.connection().comparer();
        return new Differ(
                (context, layer, mounts, payloads, sync) -> plugin.call(
                        "Apply " + layer.digest(),
                        () -> applier.apply(plugin.bounded(context), layer, mounts, payloads, sync)),
                (context, lower, upper, options) -> {
                    Descriptor made = plugin.call(
                            "Diff", () -> comparer.compare(plugin.bounded(context), lower, upper, kept(options)));
                    blobs.made(made.digest());
                    return made;
                });
    }

    private static CompareOptions kept(CompareOptions options) {
        Map<String, String> labels = new HashMap<>(options.labels());
        labels.putAll(KEPT);
        return new CompareOptions(options.mediaType(), options.ref(), labels, options.sourceDateEpoch());
    }

    @Override
    protected boolean isStrict() {
        return plugin.options().strict();
    }

    @Override
    protected void closeAll() {
        if (store != null) {
            store.close();
        }
    }
}
