package dev.longshore.sdk.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.config.ConfigFile.Format;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ConfigFileTest {

    @TempDir
    private Path folder;

    private Path write(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, text);
    }

    private static void assertRefused(Path file, String why) {
        assertThatThrownBy(() -> ConfigFile.read(file, Format.PLAIN))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining(file + ":")
                .hasMessageContaining(why);
    }

    @Test
    void everySyntaxErrorHasItsLine() throws IOException {
        Path file = write("c.toml", "a = 1\nb = \nc = \"open\n");
        assertThatThrownBy(() -> ConfigFile.read(file, Format.PLAIN))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining(file + ":2:")
                .hasMessageContaining(file + ":3:");
    }

    @Test
    void aKeyThatIsThereTwiceIsRefused() throws IOException {
        assertRefused(write("c.toml", "a = 1\na = 2\n"), ":2:");
    }

    @Test
    void filesThatAreNoneAreRefused() throws IOException {
        assertRefused(folder.resolve("missing"), "no such file");
        assertRefused(Files.createDirectory(folder.resolve("folder")), "no regular file");
        assertRefused(Files.write(folder.resolve("latin"), new byte[] {'a', (byte) 0xe4}), "not UTF-8");
        assertRefused(write("big", "# " + "x".repeat(1 << 20)), "larger than 1048576 bytes");
    }

    @Test
    void filesAreMergedBehindTheOneThatImportsThem() throws Exception {
        Path main = write(
                "main.toml", "imports = [\"d/*.toml\"]\na = \"main\"\nb = \"main\"\nlist = [\"x\"]\n[t]\nk = 1\n");
        write("d/1.toml", "a = \"one\"\nlist = [\"x\", \"y\"]\nc = \"one\"\n[t]\nl = 2\n");
        write("d/2.toml", "c = \"two\"\nb = \"\"\n");
        write("d/other", "a = \"other\"\n");
        Section root = ConfigFile.read(main, Format.PLAIN).root();
        assertThat(root.string("a")).contains("one");
        assertThat(root.string("b")).as("an empty value says nothing").contains("main");
        assertThat(root.string("c")).contains("two");
        assertThat(root.strings("list")).containsExactly("x", "y");
        assertThat(root.section("t").keys()).containsExactly("k", "l");
    }

    @Test
    void rulesSayHowTablesAreMerged() throws Exception {
        Path main = write("main.toml", "imports = [\"more.toml\"]\n[p.one]\na = 1\nb = 2\n[q]\na = 1\n");
        write("more.toml", "[p.one]\na = 3\n[q]\na = 0\n");
        Format format =
                new Format(Map.of("p", Section.Merge.REPLACE_TABLES, "q", Section.Merge.REPLACE), List.of(), _ -> {});
        Section root = ConfigFile.read(main, format).root();
        assertThat(root.section("p").section("one").keys()).containsExactly("a");
        assertThat(root.section("q").integer("a")).contains(0L);
    }

    @Test
    void importsMayGoInCircles() throws Exception {
        Path a = write("a.toml", "imports = [\"b.toml\"]\nx = \"a\"\n");
        write("b.toml", "imports = [\"a.toml\", \"b.toml\"]\ny = \"b\"\n");
        Section root = ConfigFile.read(a, Format.PLAIN).root();
        assertThat(root.string("x")).contains("a");
        assertThat(root.string("y")).contains("b");
    }

    @Test
    void anImportThatIsNamedMustBeThereButAPatternNeedNotMatch() throws Exception {
        Path pattern = write("p.toml", "imports = [\"none/*.toml\", \"no?e.toml\"]\n");
        assertThat(ConfigFile.read(pattern, Format.PLAIN).root().has("imports")).isTrue();
        Path named = write("n.toml", "imports = [\"none.toml\"]\n");
        assertThatThrownBy(() -> ConfigFile.read(named, Format.PLAIN))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("none.toml: no such file");
    }

    @Test
    void tooManyFilesAreRefused() throws Exception {
        Path main = write("main.toml", "imports = [\"d/*\"]\n");
        for (int i = 0; i < 101; i++) {
            write("d/" + i, "");
        }
        assertThatThrownBy(() -> ConfigFile.read(main, Format.PLAIN))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("more than 100 files");
    }

    @Test
    void aFileOfANewerVersionIsAProblemAtItsPlace() throws Exception {
        Path main = write("main.toml", "version = 2\nimports = [\"more.toml\"]\n");
        Path more = write("more.toml", "\nversion = 3\n");
        assertThat(ConfigFile.read(main, Format.PLAIN).problems())
                .extracting(ConfigProblem::toString)
                .containsExactly(more + ":2:1: version 3 is newer than that of the importing file, 2");
    }

    @ParameterizedTest
    @ValueSource(strings = {"*.toml", "?.toml", "[a-c].toml", "d*/b.toml", "{a}.toml"})
    void patternsAreThoseOfGo(String pattern) throws IOException {
        write("a.toml", "");
        write("dir/b.toml", "");
        List<Path> expected = switch (pattern) {
            case "d*/b.toml" -> List.of(folder.resolve("dir/b.toml"));
            // No pattern: it stands for itself, there or not.
            case "{a}.toml" -> List.of(folder.resolve("{a}.toml"));
            default -> List.of(folder.resolve("a.toml"));
        };
        assertThat(Glob.expand(folder.resolve(pattern))).isEqualTo(expected);
    }
}
