package dev.longshore.sdk.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.sdk.mount.Mount;
import dev.longshore.sdk.mount.Mounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileOpensIT {

    @TempDir
    Path folder;

    private boolean mounted;

    @BeforeEach
    void mount() throws IOException {
        assumeTrue(System.getProperty("user.name", "").equals("root"), "watching a file system needs root");
        Mounts.mountAll(List.of(new Mount("tmpfs", "tmpfs", "", List.of())), folder);
        mounted = true;
    }

    @AfterEach
    void unmount() throws IOException {
        if (mounted) {
            Mounts.unmountAll(folder);
        }
    }

    private static int run(String... command) throws IOException, InterruptedException {
        return new ProcessBuilder(command).inheritIO().start().waitFor();
    }

    @Test
    void openedFilesAreToldInTheirOrderAndOurOwnAreNot() throws Exception {
        for (String name : List.of("a", "b", "c", "own", "not")) {
            Files.writeString(folder.resolve(name), name);
        }
        try (FileOpens opens = new FileOpens(folder)) {
            assertThat(opens.await(Duration.ZERO)).isEmpty();
            assertThat(Files.readString(folder.resolve("own"))).isEqualTo("own");
            assertThat(run("sh", "-c", "cd $1 && : < b; : < a; : < c; ls . >/dev/null", "sh", folder.toString()))
                    .isZero();
            List<String> seen = new ArrayList<>();
            for (List<String> more = opens.await(Duration.ofSeconds(5));
                    !more.isEmpty();
                    more = opens.await(Duration.ZERO)) {
                seen.addAll(more);
            }
            assertThat(seen).containsExactly(folder + "/b", folder + "/a", folder + "/c");
        }
    }

    @Test
    void otherMountNamespacesAreSeen() throws Exception {
        Files.writeString(folder.resolve("a"), "a");
        try (FileOpens opens = new FileOpens(folder)) {
            assertThat(run("unshare", "-m", "sh", "-c", "mount --bind $1 /mnt && : < /mnt/a", "sh", folder.toString()))
                    .isZero();
            assertThat(opens.await(Duration.ofSeconds(5)))
                    .singleElement()
                    .asString()
                    .endsWith("/a");
        }
    }

    @Test
    void manyFilesAreAllTold() throws Exception {
        assertThat(run("sh", "-c", "for i in $(seq 3000); do : > $1/$i; done", "sh", folder.toString()))
                .isZero();
        try (FileOpens opens = new FileOpens(folder)) {
            assertThat(run("sh", "-c", "for i in $(seq 3000); do : < $1/$i; done", "sh", folder.toString()))
                    .isZero();
            List<String> seen = new ArrayList<>();
            for (List<String> more = opens.await(Duration.ofSeconds(5));
                    !more.isEmpty();
                    more = opens.await(Duration.ZERO)) {
                seen.addAll(more);
            }
            assertThat(seen).hasSize(3000);
        }
    }
}
