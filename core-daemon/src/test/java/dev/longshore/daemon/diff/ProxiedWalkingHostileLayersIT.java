package dev.longshore.daemon.diff;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.testkit.HostileLayersContract;
import java.nio.file.Path;

final class ProxiedWalkingHostileLayersIT extends HostileLayersContract {

    private final OpenedDiffer opened = new OpenedDiffer();

    @Override
    protected ContentStore openContent(Path root) throws Exception {
        return opened.content(root);
    }

    @Override
    protected Differ open(ContentStore content, Path scratch) throws Exception {
        return opened.proxied(content, scratch);
    }

    @Override
    protected void closeAll() throws Exception {
        opened.close();
    }
}
