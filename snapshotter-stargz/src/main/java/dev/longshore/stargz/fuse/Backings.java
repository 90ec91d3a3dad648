package dev.longshore.stargz.fuse;

import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FuseDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The backing files that the kernel was told of. It reads an inode that is open one way or the other, so that a file which was opened
 * through us is told only when it is not open any more; and it takes one backing file for an inode, so that each is told once and kept
 * until the file system is unmounted. Who takes the mount over has to know both, so they are written down first.
 */
final class Backings implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Backings.class);

    private static final int RECORD = 8;

    /** Instead of the number of a backing file: opened through us. */
    private static final int THROUGH_US = 0;

    /** How often a file is open that an earlier process has opened: it is never told then. */
    private static final int UNKNOWN = 1 << 30;

    private final FuseDevice device;
    private final BackingFiles files;
    private final FileChannel journal;
    private long records;
    private final Map<Integer, Integer> told = new HashMap<>();

    /** How often files that may have a backing file are open through us; those that were once stay in it. */
    private final Map<Integer, Integer> opened = new HashMap<>();

    private final Set<Integer> refused = new HashSet<>();

    private Backings(FuseDevice device, BackingFiles files, FileChannel journal) {
        this.device = device;
        this.files = files;
        this.journal = journal;
    }

    /** @param journal lives as long as the mount; it need not survive the machine */
    static Backings open(FuseDevice device, BackingFiles files, Path journal) throws IOException {
        FileChannel channel =
                FileChannel.open(journal, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        try {
            Backings backings = new Backings(device, files, channel);
            backings.recall();
            return backings;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private void recall() throws IOException {
        // The last record may be half written; then no answer with it was given.
        records = journal.size() / RECORD;
        for (long i = 0; i < records; i++) {
            ByteBuffer record = ByteBuffer.allocate(RECORD);
            while (record.hasRemaining() && journal.read(record, i * RECORD + record.position()) >= 0) {}
            int inode = record.getInt(0);
            int id = record.getInt(4);
            if (id == THROUGH_US) {
                opened.put(inode, UNKNOWN);
            } else {
                told.put(inode, id);
                files.keepTold(inode);
            }
        }
        journal.truncate(records * RECORD);
    }

    /**
     * What an open is answered with.
     *
     * @param id the backing file's number; empty for a file that is read through us
     * @param counted whether its release is to be told to {@link #release}
     */
    record Opened(OptionalInt id, boolean counted) {}

    synchronized Opened open(int inode) throws IOException {
        Integer known = told.get(inode);
        if (known != null) {
            return new Opened(OptionalInt.of(known), false);
        }
        if (!files.mayHave(inode)) {
            return new Opened(OptionalInt.empty(), false);
        }
        Integer count = opened.get(inode);
        if ((count == null || count == 0) && !refused.contains(inode)) {
            Optional<Path> file = files.keep(inode);
            if (file.isPresent()) {
                OptionalInt id = tell(inode, file.get());
                if (id.isPresent()) {
                    return new Opened(id, false);
                }
            }
        }
        if (count == null) {
            noteThroughUs(inode);
        }
        opened.put(inode, count == null ? 1 : Math.min(UNKNOWN, count + 1));
        return new Opened(OptionalInt.empty(), true);
    }

    /** @return empty if the kernel does not take it, which is said once */
    private OptionalInt tell(int inode, Path file) throws IOException {
        OptionalInt id;
        try {
            id = device.openBacking(file);
        } catch (ErrnoException e) {
            log.atDebug().addKeyValue("file", file).setCause(e).log("a backing file cannot be opened");
            id = OptionalInt.empty();
        }
        if (id.isEmpty()) {
            refused.add(inode);
            log.atInfo()
                    .addKeyValue("file", file)
                    .log("the kernel does not read a file by itself: it is gone, or on a file system that is stacked");
            return id;
        }
        write(inode, id.getAsInt());
        told.put(inode, id.getAsInt());
        return id;
    }

    private void noteThroughUs(int inode) {
        try {
            write(inode, THROUGH_US);
        } catch (IOException e) {
            // A disk that is full: it can be read all the same, and is told when it is not open any more.
            log.atWarn().addKeyValue("inode", inode).setCause(e).log("cannot write the journal of backing files");
        }
    }

    private void write(int inode, int id) throws IOException {
        ByteBuffer record = ByteBuffer.allocate(RECORD).putInt(inode).putInt(id).flip();
        while (record.hasRemaining()) {
            journal.write(record, records * RECORD + record.position());
        }
        records++;
    }

    /** An open that was counted has ended. */
    synchronized void release(int inode) {
        opened.computeIfPresent(inode, (_, count) -> count == UNKNOWN || count == 0 ? count : count - 1);
    }

    @Override
    public void close() throws IOException {
        journal.close();
    }
}
