package dev.longshore.cli;

import dev.longshore.api.types.transfer.Progress;
import dev.longshore.cli.text.Bars;

/** What the daemon tells of a transfer, as bars. */
final class TransferReport {

    private static final int SHORT_DIGEST = 12;

    private final Bars bars;

    TransferReport(Bars bars) {
        this.bars = bars;
    }

    /** Called by one thread. */
    void accept(Progress progress) {
        if (progress.getName().isEmpty()) {
            bars.line(progress.getEvent());
        } else if (progress.getTotal() > 0) {
            boolean moves = progress.getEvent().equals("downloading")
                    || progress.getEvent().equals("uploading")
                    || progress.getEvent().equals("extracting");
            bars.at(brief(progress.getName()), progress.getEvent(), progress.getProgress(), progress.getTotal(), moves);
        }
    }

    /** {@code layer-sha256:0123...} as {@code layer 0123...}, of a length that fits. */
    private static String brief(String name) {
        int algorithm = name.indexOf('-');
        int digest = name.indexOf(':');
        if (algorithm < 0 || digest < algorithm || name.length() < digest + 1 + SHORT_DIGEST) {
            return name;
        }
        return name.substring(0, algorithm) + " " + name.substring(digest + 1, digest + 1 + SHORT_DIGEST);
    }
}
