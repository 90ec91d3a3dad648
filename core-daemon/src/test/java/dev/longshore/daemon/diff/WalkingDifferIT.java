package dev.longshore.daemon.diff;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.testkit.DifferContract;
import java.nio.file.Path;

final class WalkingDifferIT extends DifferContract {

    private final OpenedDiffer opened = new OpenedDiffer();

    @Override
    protected ContentStore openContent(Path root) throws Exception {
        return opened.content(root);
    }

    @Override
    protected Differ open(ContentStore content, Path scratch) throws Exception {
        return OpenedDiffer.direct(content, scratch);
    }

    @Override
    protected void closeAll() throws Exception {
        opened.close();
    }
}
