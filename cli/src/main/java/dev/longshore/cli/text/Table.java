package dev.longshore.cli.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Rows in columns, as wide as they have to be and together no wider than the screen: the widest column gives way first.
 * What does not fit ends in {@code …}.
 */
public final class Table {

    private static final int GAP = 2;
    private static final int NARROWEST = 8;

    private final List<String[]> rows = new ArrayList<>();

    public Table(String... titles) {
        rows.add(titles.clone());
    }

    /** @throws IllegalArgumentException if there are not as many cells as titles */
    public void row(String... cells) {
        if (cells.length != rows.getFirst().length) {
            throw new IllegalArgumentException(
                    "a row of %d cells in a table of %d columns".formatted(cells.length, rows.getFirst().length));
        }
        rows.add(Arrays.stream(cells).map(Table::printable).toArray(String[]::new));
    }

    /** Names come from outside: a control character in one must not reach the terminal. */
    private static String printable(String cell) {
        return cell.isEmpty() ? "-" : cell.replaceAll("\\p{Cntrl}", "?");
    }

    /** @param width of the screen in characters; 0 for no limit */
    public String render(int width) {
        int[] widths = new int[rows.getFirst().length];
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                widths[i] = Math.max(widths[i], row[i].length());
            }
        }
        if (width > 0) {
            narrow(widths, width);
        }
        StringBuilder text = new StringBuilder();
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.length; i++) {
                line.append(fit(row[i], widths[i]));
                line.append(" ".repeat(GAP));
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        return text.toString();
    }

    private static void narrow(int[] widths, int width) {
        int total = Arrays.stream(widths).sum() + GAP * (widths.length - 1);
        while (total > width) {
            int widest = 0;
            for (int i = 1; i < widths.length; i++) {
                if (widths[i] > widths[widest]) {
                    widest = i;
                }
            }
            if (widths[widest] <= NARROWEST) {
                return;
            }
            widths[widest]--;
            total--;
        }
    }

    private static String fit(String cell, int width) {
        return cell.length() > width ? cell.substring(0, width - 1) + "…" : cell + " ".repeat(width - cell.length());
    }
}
