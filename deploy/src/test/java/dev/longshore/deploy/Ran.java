package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;

/** A program that has ended: what it was, how it ended, what it said. */
record Ran(String command, int exit, String out, String err) {

    /** Fails the test, with all that the program said, unless it exited with 0. */
    Ran ok() {
        return exitedWith(0);
    }

    Ran exitedWith(int expected) {
        assertThat(exit)
                .as("exit code of: %s%nstdout: %s%nstderr: %s", command, out, err)
                .isEqualTo(expected);
        return this;
    }

    /** The program must have failed, and said {@code part} (case does not matter) about it. */
    Ran failedWith(String part) {
        assertThat(exit)
                .as("exit code of: %s%nstdout: %s%nstderr: %s", command, out, err)
                .isNotZero();
        assertThat(err + out).as("what it said: %s", command).containsIgnoringCase(part);
        return this;
    }

    List<String> lines() {
        return out.lines().map(String::strip).filter(line -> !line.isEmpty()).toList();
    }

    /** The lines of a table whose first column is {@code name}, each split into its columns. */
    List<String[]> rows(String name) {
        return lines().stream()
                .map(line -> line.split("\\s+"))
                .filter(columns -> columns[0].equals(name))
                .toList();
    }

    /** The one row of a table whose first column is {@code name}. */
    String[] row(String name) {
        List<String[]> rows = rows(name);
        assertThat(rows)
                .as("rows of %s in the output of: %s%n%s", name, command, out)
                .hasSize(1);
        return rows.getFirst();
    }
}
