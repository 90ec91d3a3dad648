package dev.longshore.sdk.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class SectionTest {

    private static ConfigFile.Read parse(String text) throws ConfigException {
        return ConfigFile.parse(text, "config.toml", ConfigFile.Format.PLAIN);
    }

    private static List<String> problems(String text, Function<Section, Object> read) throws ConfigException {
        ConfigFile.Read parsed = parse(text);
        Object _ = read.apply(parsed.root());
        return parsed.problems().stream().map(ConfigProblem::toString).toList();
    }

    @Test
    void valuesOfEachKindAreRead() throws ConfigException {
        Section root = parse("""
                text = "t"
                number = 7
                real = 1.5
                flag = true
                time = "1m30s"
                list = ["a", "b"]
                lists = ["a", ["b", "c"]]
                [table]
                inner = "i"
                """).root();
        assertThat(root.string("text")).contains("t");
        assertThat(root.integer("number")).contains(7L);
        assertThat(root.number("number")).contains(7.0);
        assertThat(root.number("real")).contains(1.5);
        assertThat(root.bool("flag")).contains(true);
        assertThat(root.duration("time")).contains(Duration.ofSeconds(90));
        assertThat(root.strings("list")).containsExactly("a", "b");
        assertThat(root.stringLists("lists")).containsExactly(List.of("a"), List.of("b", "c"));
        assertThat(root.section("table").string("inner")).contains("i");
        assertThat(root.unknown()).isEmpty();
    }

    @Test
    void whatIsNotThereIsEmpty() throws ConfigException {
        ConfigFile.Read parsed = parse("");
        Section root = parsed.root();
        assertThat(root.string("text")).isEmpty();
        assertThat(root.strings("list")).isEmpty();
        assertThat(root.stringLists("list")).isEmpty();
        assertThat(root.section("table").integer("number")).isEmpty();
        assertThat(parsed.problems()).isEmpty();
    }

    @Test
    void anUnknownKeyIsNamedWithItsPlaceAndTheNearestKey() throws ConfigException {
        Section root = parse("""
                version = 3

                [grpc]
                  address = "/run/s"
                  adress = "/run/t"
                  zebra = 1
                """).root();
        root.integer("version");
        root.section("grpc").string("address");
        assertThat(root.unknown())
                .extracting(ConfigProblem::toString)
                .containsExactlyInAnyOrder(
                        "config.toml:5:3: unknown key grpc.adress: did you mean address?",
                        "config.toml:6:3: unknown key grpc.zebra");
    }

    @Test
    void anUnknownTableIsOneUnknownKey() throws ConfigException {
        Section root = parse("[debugg]\nlevel = \"info\"\naddress = \"\"\n").root();
        root.section("debug").string("level");
        assertThat(root.unknown())
                .extracting(ConfigProblem::toString)
                .containsExactly("config.toml:1:1: unknown key debugg: did you mean debug?");
    }

    @Test
    void keysWithDotsAreQuotedAsTomlDoes() throws ConfigException {
        Section root = parse("[plugins.\"io.containerd.cri.v1\"]\nx = 1\n").root();
        root.section("plugins").section("io.containerd.cri.v1");
        assertThat(root.unknown())
                .extracting(ConfigProblem::message)
                .containsExactly("unknown key plugins.\"io.containerd.cri.v1\".x");
    }

    @Test
    void valuesOfTheWrongKindAreProblemsWithTheirPlace() throws ConfigException {
        String text = "a = 1\nb = \"x\"\nc = [1]\nd = [[]]\n[e]\n";
        assertThat(problems(text, root -> root.string("a"))).containsExactly("config.toml:1:1: a must be a string");
        assertThat(problems(text, root -> root.integer("b"))).containsExactly("config.toml:2:1: b must be an integer");
        assertThat(problems(text, root -> root.bool("b"))).containsExactly("config.toml:2:1: b must be true or false");
        assertThat(problems(text, root -> root.number("b"))).containsExactly("config.toml:2:1: b must be a number");
        assertThat(problems(text, root -> root.section("b"))).containsExactly("config.toml:2:1: b must be a table");
        assertThat(problems(text, root -> root.strings("c")))
                .containsExactly("config.toml:3:1: c must be a list of strings");
        assertThat(problems(text, root -> root.strings("b")))
                .containsExactly("config.toml:2:1: b must be a list of strings");
        assertThat(problems(text, root -> root.stringLists("d")))
                .containsExactly("config.toml:4:1: d must be a list of strings, or of lists of strings");
        assertThat(problems(text, root -> root.string("e"))).containsExactly("config.toml:5:1: e must be a string");
    }

    @Test
    void valuesOutOfRangeAreProblems() throws ConfigException {
        assertThat(problems("[t]\nn = 11", root -> root.section("t").integer("n", 1, 10)))
                .containsExactly("config.toml:2:1: t.n must be between 1 and 10, not 11");
        assertThat(parse("n = 10").root().integer("n", 1, 10)).contains(10);
    }

    @Test
    void timesThatAreNoneAreProblems() throws ConfigException {
        assertThat(problems("t = \"5 sec\"", root -> root.duration("t")))
                .containsExactly("config.toml:1:1: t \"5 sec\" is no time: write e.g. 5s, 100ms or 1h30m");
    }

    @Test
    void whatAParserRefusesIsAProblem() throws ConfigException {
        assertThat(problems(
                        "p = \"x\"",
                        root -> root.parsed("p", text -> {
                            throw new IllegalArgumentException("is no path");
                        })))
                .containsExactly("config.toml:1:1: p is no path");
        assertThat(parse("p = \"\"").root().parsed("p", Integer::parseInt)).isEmpty();
    }

    @Test
    void tablesAreInTheOrderOfTheFile() throws ConfigException {
        Section hosts =
                parse("[host.\"z\"]\n[host.\"a\"]\n[host.\"m\"]\n").root().section("host");
        assertThat(hosts.sections().keySet()).containsExactly("z", "a", "m");
    }

    @ParameterizedTest
    @CsvSource({
        "0, PT0S",
        "5s, PT5S",
        "100ms, PT0.1S",
        "1h30m, PT1H30M",
        "2.5s, PT2.5S",
        ".5s, PT0.5S",
        "-1m, PT-1M",
        "+1us, PT0.000001S",
        "1µs, PT0.000001S",
        "3ns, PT0.000000003S",
    })
    void timesAreThoseOfGo(String text, Duration duration) {
        assertThat(GoDuration.parse(text)).contains(duration);
    }

    @ParameterizedTest
    @CsvSource({"''", "-", "+", "5", "s", "5x", "5 s", "1..5s", "1.5.5s", "5S", "9999999h", "1d", "５s"})
    void whatIsNoTimeIsNone(String text) {
        assertThat(GoDuration.parse(text)).isEmpty();
    }
}
