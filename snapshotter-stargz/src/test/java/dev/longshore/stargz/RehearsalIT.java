package dev.longshore.stargz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.snapshots.OverlayFeatures;
import dev.longshore.snapshots.OverlayOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RehearsalIT {

    @TempDir
    private Path folder;

    @Test
    void rehearsalLeavesNothing() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        assumeTrue(Files.exists(Path.of("/dev/fuse")), "no /dev/fuse: modprobe fuse");
        OverlayOptions options =
                new OverlayOptions(OverlayFeatures.mountOptions(List.of(), folder), false, false, true);
        Rehearsal.mount(folder.resolve("rehearsal"), options);
        assertThat(folder).isEmptyDirectory();
        assertThat(Files.readString(Path.of("/proc/self/mounts"))).doesNotContain(folder.toString());
    }

    @Test
    void rehearsalWithoutMountsRemovesWhatAKilledOneHasLeft() throws Exception {
        Path left = Files.createDirectories(folder.resolve("rehearsal/root/layers/sha256-0"));
        Files.writeString(left.resolve("index"), "half");
        Rehearsal.read(folder.resolve("rehearsal"));
        assertThat(folder).isEmptyDirectory();
    }
}
