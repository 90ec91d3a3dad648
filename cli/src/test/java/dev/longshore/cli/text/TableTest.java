package dev.longshore.cli.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TableTest {

    @Test
    void columnsAreAsWideAsTheyHaveToBe() {
        Table table = new Table("ID", "IMAGE");
        table.row("a", "docker.io/library/app:1");
        table.row("longer", "b");
        assertThat(table.render(0)).isEqualTo("""
                        ID      IMAGE
                        a       docker.io/library/app:1
                        longer  b
                        """);
    }

    @Test
    void widestColumnGivesWayWhenTheScreenIsNarrow() {
        Table table = new Table("ID", "IMAGE", "PID");
        table.row("container", "registry.example/a/very/long/name:latest", "123");
        assertThat(table.render(40).lines())
                .allSatisfy(line -> assertThat(line.length()).isLessThanOrEqualTo(40));
        assertThat(table.render(40)).contains("container").contains("…").contains("123");
    }

    @Test
    void screenThatIsTooNarrowForAnythingIsNotObeyed() {
        Table table = new Table("IDENTIFIER", "STATE");
        table.row("abcdefghij", "running");
        assertThat(table.render(3)).contains("running").contains("abcdefg…");
    }

    @Test
    void emptyCellIsADash() {
        Table table = new Table("A", "B");
        table.row("", "x");
        assertThat(table.render(0)).contains("-  x");
    }

    @Test
    void controlCharactersDoNotReachTheTerminal() {
        Table table = new Table("NAME");
        table.row("evil\u001b[2Jname\n");
        assertThat(table.render(0)).isEqualTo("NAME\nevil?[2Jname?\n");
    }

    @Test
    void rowOfAnotherLengthIsAMistake() {
        assertThatThrownBy(() -> new Table("A", "B").row("only one")).isInstanceOf(IllegalArgumentException.class);
    }
}
