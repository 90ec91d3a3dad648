package dev.longshore.stargz.fuse;

import dev.longshore.sdk.linux.FuseDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The backing files that the kernel was told of. It takes one for an inode, for as long as the inode is open anywhere, so each is told
 * once and kept until the file system is unmounted; and who takes the mount over has to know them, so they are written down first.
 */
final class Backings implements AutoCloseable {

    private static final int RECORD = 8;

    private final FuseDevice device;
    private final BackingFiles files;
    private final FileChannel journal;
    private final Map<Integer, Integer> told = new HashMap<>();

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
        long records = journal.size() / RECORD;
        for (long i = 0; i < records; i++) {
            ByteBuffer record = ByteBuffer.allocate(RECORD);
            while (record.hasRemaining() && journal.read(record, i * RECORD + record.position()) >= 0) {}
            told.put(record.getInt(0), record.getInt(4));
        }
        journal.truncate(records * RECORD);
    }

    /** The number for the answer; empty for a file that is read through us. */
    synchronized OptionalInt open(int inode) throws IOException {
        Integer known = told.get(inode);
        if (known != null) {
            return OptionalInt.of(known);
        }
        Optional<Path> file = files.file(inode);
        if (file.isEmpty()) {
            return OptionalInt.empty();
        }
        int id = device.openBacking(file.get())
                .orElseThrow(() -> new IOException(
                        "the kernel does not take %s as backing file of inode %d: it must be on a file system that is not stacked"
                                .formatted(file.get(), inode)));
        ByteBuffer record = ByteBuffer.allocate(RECORD).putInt(inode).putInt(id).flip();
        long at = (long) told.size() * RECORD;
        while (record.hasRemaining()) {
            journal.write(record, at + record.position());
        }
        told.put(inode, id);
        return OptionalInt.of(id);
    }

    @Override
    public void close() throws IOException {
        journal.close();
    }
}
