package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The tables of docs/interop.md and the tests behind them name the same: what is promised is tested, what is tested is told. */
class InteropTableTest {

    private static final Path DOCUMENT = Path.of("../docs/interop.md");
    private static final Path TESTS = Path.of("src/test/java/dev/longshore/deploy");

    private static final Pattern NAME = Pattern.compile("`(\\w+)`");
    private static final Pattern TEST = Pattern.compile("@Test\\s+void (\\w+)\\(");

    /** The cells of all tables, without the heads and the first column. */
    private static List<String> cells() throws IOException {
        List<String> lines = Files.readAllLines(DOCUMENT);
        return Stream.iterate(0, index -> index + 1)
                .limit(lines.size())
                .filter(index -> lines.get(index).startsWith("|"))
                .filter(index -> !isHead(lines, index))
                .map(lines::get)
                .flatMap(line -> Stream.of(
                                line.substring(1, line.lastIndexOf('|')).split("\\|", -1))
                        .skip(1))
                .map(String::strip)
                .toList();
    }

    private static boolean isHead(List<String> lines, int index) {
        return lines.get(index).startsWith("| ---")
                || (index + 1 < lines.size() && lines.get(index + 1).startsWith("| ---"));
    }

    /** The names of tests that all cells have. */
    private static Set<String> named() throws IOException {
        return cells().stream()
                .flatMap(cell -> NAME.matcher(cell).results())
                .map(name -> name.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void everyCellNamesItsTestOrSaysThatThereIsNothing() throws IOException {
        assertThat(cells())
                .hasSizeGreaterThan(10)
                .allMatch(cell -> cell.equals("-") || NAME.matcher(cell).find());
    }

    @Test
    void cellsAndTestsNameTheSame() throws IOException {
        Set<String> tests = TEST.matcher(Files.readString(TESTS.resolve("InteropIT.java")))
                .results()
                .map((MatchResult test) -> test.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
        try (Stream<Path> files = Files.list(TESTS)) {
            files.map(file -> file.getFileName().toString())
                    .filter(file -> file.matches("(Ctr|Docker|Testcontainers)\\w*IT\\.java"))
                    .map(file -> file.substring(0, file.length() - ".java".length()))
                    .forEach(tests::add);
        }
        assertThat(named()).isEqualTo(tests);
    }
}
