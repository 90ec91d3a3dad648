package dev.longshore.daemon.diff;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;

/** A layer as a plain tar, and the programs that make it one. */
final class PlainLayer extends FilterInputStream {

    private final List<ProcessorRun> runs;
    private final Runnable afterwards;

    /**
     * @param stream closed with this
     * @param runs in the order in which the layer goes through them; closed with this
     * @param afterwards run when this is closed
     */
    PlainLayer(InputStream stream, List<ProcessorRun> runs, Runnable afterwards) {
        super(stream);
        this.runs = List.copyOf(runs);
        this.afterwards = afterwards;
    }

    /**
     * Has every program end, and end well. Until then nothing of the layer may be believed: a program may find out at the very end
     * that what it has passed on was forged.
     */
    void finish() throws IOException {
        transferTo(OutputStream.nullOutputStream());
        // What is behind the end of a compressed stream is read too: a program that cannot get rid of it does not end.
        if (!runs.isEmpty()) {
            runs.getLast().transferTo(OutputStream.nullOutputStream());
        }
        for (ProcessorRun run : runs) {
            run.finish();
        }
    }

    /** Throws what a program gives for a reason, if one does, when what came out of them makes no sense. */
    void explain() throws IOException {
        for (ProcessorRun run : runs) {
            run.explain();
        }
    }

    @Override
    public void close() throws IOException {
        // The last first: each reads from the one before. What decompresses is behind them all, and has memory outside
        // of the heap.
        try {
            super.close();
        } finally {
            try {
                runs.reversed().forEach(ProcessorRun::close);
            } finally {
                afterwards.run();
            }
        }
    }
}
