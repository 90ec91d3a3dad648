package dev.longshore.shim;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * Files for the shim that takes over. It finds what was there before or what was written, whenever this one is killed. Nothing is
 * synced to the disk: no container outlives the machine.
 */
final class StateFile {

    private StateFile() {}

    static void write(Path file, byte[] content) throws IOException {
        Path temporary = file.resolveSibling("." + file.getFileName() + ".new");
        Files.write(temporary, content);
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
}
