package dev.longshore.cli.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UserDatabaseTest {

    private final UserDatabase users = new UserDatabase("""
            root:x:0:0:root:/root:/bin/sh
            app:x:1000:1001::/home:/bin/sh
            # a comment
            broken
            2147483648:x:0:0:a number as a name::
            """, """
            root:x:0:
            app:x:1001:
            wheel:x:10:root,app
            video:x:44:app
            """);

    @Test
    void nobodyInParticularIsRoot() {
        assertThat(users.resolve("")).isEqualTo(new ContainerUser(0, 0, List.of(0L, 10L)));
    }

    @Test
    void nameHasItsGroups() {
        assertThat(users.resolve("app")).isEqualTo(new ContainerUser(1000, 1001, List.of(10L, 44L, 1001L)));
    }

    @Test
    void numberThatIsKnownHasItsGroupsToo() {
        assertThat(users.resolve("1000")).isEqualTo(users.resolve("app"));
    }

    @Test
    void numberThatIsNotKnownHasNone() {
        assertThat(users.resolve("4711")).isEqualTo(new ContainerUser(4711, 0, List.of(0L)));
    }

    @Test
    void groupIsTakenByNameOrNumberAndIsTheOnlyOne() {
        assertThat(users.resolve("app:video")).isEqualTo(new ContainerUser(1000, 44, List.of(44L)));
        assertThat(users.resolve("4711:4712")).isEqualTo(new ContainerUser(4711, 4712, List.of(4712L)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"stranger", "app:strangers", "-1", "app:-1"})
    void whoIsNotInTheImageIsRefused(String user) {
        assertThatThrownBy(() -> users.resolve(user)).isInstanceOf(InvalidArgumentException.class);
    }

    /** CVE-2024-40635 and CVE-2026-46680: neither wraps to root, nor is it looked up as the name that it looks like. */
    @ParameterizedTest
    @ValueSource(strings = {"2147483648", "4294967296", "99999999999999999999", "0:2147483648"})
    void numberThatIsTooLargeIsRefused(String user) {
        assertThatThrownBy(() -> users.resolve(user))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("2147483647");
    }

    @Test
    void filesAreReadFromTheImageAlone(@TempDir Path folder) throws IOException {
        Path root = folder.resolve("root");
        Files.createDirectories(root.resolve("etc"));
        Files.writeString(folder.resolve("passwd"), "outside:x:5:5:::\n");
        Files.createSymbolicLink(root.resolve("etc/passwd"), Path.of("../../passwd"));
        assertThatThrownBy(() -> UserDatabase.in(root).resolve("outside"))
                .as("a link leads to the image's own root, not out of it")
                .isInstanceOf(InvalidArgumentException.class);
        Files.writeString(root.resolve("passwd"), "inside:x:6:6:::\n");
        assertThat(UserDatabase.in(root).resolve("inside").uid()).isEqualTo(6);
    }

    /** CVE-2026-47262. */
    @Test
    void giantFileIsRefused(@TempDir Path root) throws IOException {
        Files.createDirectories(root.resolve("etc"));
        Files.writeString(root.resolve("etc/group"), "x".repeat(UserDatabase.MAX_FILE + 1));
        assertThatThrownBy(() -> UserDatabase.in(root))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("/etc/group");
    }

    @Test
    void imageWithoutTheFilesHasNumbersOnly(@TempDir Path root) throws IOException {
        assertThat(UserDatabase.in(root).resolve("7").uid()).isEqualTo(7);
        Files.createDirectories(root.resolve("etc/passwd"));
        assertThat(UserDatabase.in(root).resolve("")).isEqualTo(new ContainerUser(0, 0, List.of(0L)));
    }
}
