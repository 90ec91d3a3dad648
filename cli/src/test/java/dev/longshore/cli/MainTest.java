package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class MainTest {

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... arguments) {
        CommandLine line = Main.commandLine();
        line.setOut(new PrintWriter(out));
        line.setErr(new PrintWriter(err));
        line.setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF));
        return line.execute(arguments);
    }

    @Test
    void everyCommandHasHelp() {
        for (CommandLine command : Main.commandLine().getSubcommands().values()) {
            assertThat(run(command.getCommandName(), "--help"))
                    .as(command.getCommandName())
                    .isZero();
        }
        assertThat(out.toString()).contains("longshore run").contains("Examples:");
    }

    @Test
    void unknownCommandHasASuggestion() {
        assertThat(run("imag")).isEqualTo(2);
        assertThat(err.toString()).contains("image");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ps", "plugins"})
    void missingDaemonIsExplained(String command) {
        assertThat(run("--address", "/nowhere/longshore.sock", command)).isEqualTo(1);
        assertThat(err.toString())
                .contains("/nowhere/longshore.sock")
                .contains("--address")
                .doesNotContain("Exception");
    }

    @Test
    void addressIsTakenBeforeAndBehindTheCommand() {
        run("ps", "--address", "/behind/longshore.sock");
        assertThat(err.toString()).contains("/behind/longshore.sock");
    }

    @Test
    void containerThatCannotBeRunEndsWithAStatusOfItsOwn() {
        assertThat(run("--address", "/nowhere/x.sock", "run", "image", "ls", "--help"))
                .as("--help is the container's here")
                .isEqualTo(125);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bash", "zsh"})
    void completionScriptKnowsCommandsAndFlags(String shell) {
        assertThat(run("completion", shell)).isZero();
        assertThat(out.toString()).contains("plugins").contains("--memory").contains("complete -F");
    }

    @Test
    void doctorLooksAtEverythingAndPrintsJson() {
        run("--json", "--address", "/nowhere/x.sock", "doctor");
        assertThat(out.toString()).contains("\"check\" : \"overlayfs\"").contains("/nowhere/x.sock");
    }

    @Test
    void kernelVersionsAreCompared() {
        assertThat(DoctorCommand.version("6.18.44-fc")).isEqualTo(618);
        assertThat(DoctorCommand.version("5.6")).isEqualTo(506);
        assertThat(DoctorCommand.version("strange")).isZero();
    }

    @Test
    void variableWithoutAValueTakesItFromHere() {
        assertThat(RunCommand.environment(List.of("A=1", "PATH", "LONGSHORE_SURELY_UNSET")))
                .containsExactly("A=1", "PATH=" + System.getenv("PATH"), "LONGSHORE_SURELY_UNSET");
    }
}
