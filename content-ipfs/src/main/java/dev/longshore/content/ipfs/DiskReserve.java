package dev.longshore.content.ipfs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file of nothing, which is given up when a disk is full: to delete a blob takes a note of it first, and without room for that nothing
 * could ever be deleted. Safe for use by many threads.
 */
final class DiskReserve {

    private static final Logger log = LoggerFactory.getLogger(DiskReserve.class);

    /** Bytes; a note in the map takes a few pages of 4 KiB. */
    private static final int SIZE = 256 << 10;

    private final Path file;

    DiskReserve(Path file) {
        this.file = file;
    }

    /** Takes the room, if it is not taken and there is any. */
    void take() {
        try {
            if (Files.notExists(file) || Files.size(file) < SIZE) {
                Files.write(file, new byte[SIZE]);
            }
        } catch (IOException e) {
            log.atWarn()
                    .addKeyValue("err", e.toString())
                    .log("no room is kept for deleting blobs: free some disk space");
        }
    }

    void giveUp() throws IOException {
        Files.deleteIfExists(file);
    }
}
