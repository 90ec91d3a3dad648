package dev.longshore.stargz.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.linux.FuseDevice;
import dev.longshore.sdk.linux.MountCalls;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The journal of backing files where there is no room for it. */
class BackingsTest {

    private static final int INODE = 2;

    @TempDir
    private Path folder;

    @SuppressWarnings("NullAway.Init")
    private Path disk;

    @BeforeEach
    void mount() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount a small file system");
        disk = Files.createDirectory(folder.resolve("disk"));
        MountCalls.mount("none", disk, "tmpfs", 0, "size=64k");
    }

    @AfterEach
    void unmount() throws IOException {
        if (disk != null) {
            MountCalls.unmount(disk, MountCalls.MNT_DETACH);
        }
    }

    private void fill() throws IOException {
        try (FileChannel rest =
                FileChannel.open(disk.resolve("rest"), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            assertThatThrownBy(() -> {
                        while (true) {
                            rest.write(ByteBuffer.allocate(4096));
                        }
                    })
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("No space left");
        }
    }

    @Test
    void aBigFileCanBeOpenedOnAFullDisk() throws IOException {
        try (FuseDevice device = FuseDevice.open();
                Backings backings = Backings.open(
                        device, new OneBackingFile(INODE, folder.resolve("not here")), disk.resolve("journal"))) {
            fill();
            assertThat(backings.open(INODE)).isEqualTo(new Backings.Opened(OptionalInt.empty(), true));
        }
    }
}
