package dev.longshore.testkit.verify;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.testkit.ContentStoreContract;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract over the socket of a program that is up. */
@ExtendWith(LivePlugin.Parameter.class)
final class LiveContentStoreContract extends ContentStoreContract {

    private final LivePlugin plugin;
    private final String prefix;

    LiveContentStoreContract(LivePlugin plugin) {
        this.plugin = plugin;
        this.prefix = plugin.newPrefix();
    }

    @Override
    protected ContentStore open(Path root) {
        return new ScopedContentStore(plugin, prefix);
    }

    @Override
    protected boolean keepsLabels() {
        return plugin.options().capabilities().contains("labels");
    }

    @Override
    protected String unique() {
        return prefix;
    }

    @Override
    protected ContentStore reopen(ContentStore open, Path root) throws Exception {
        plugin.restart();
        return open;
    }

    @Override
    protected boolean isStrict() {
        return plugin.options().strict();
    }
}
