package dev.longshore.cli.text;

import java.io.PrintStream;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Several things that get on at once: on a terminal a bar for each with a line about all of them, redrawn a few times a second; else a
 * line whenever something changes its state. For one thread at a time.
 */
public final class Bars implements AutoCloseable {

    private static final Duration REFRESH = Duration.ofMillis(100);
    private static final int WIDTH = 30;

    private final PrintStream out;
    private final boolean terminal;
    private final Map<String, Bar> bars = new LinkedHashMap<>();
    private final long started = System.nanoTime();
    private int drawn;
    private long drawnAt;

    /**
     * @param state a word
     * @param moves whether the bytes count as being on their way
     */
    private record Bar(String state, long done, long total, boolean moves) {}

    public Bars(PrintStream out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    /** On this program's standard error. */
    public static Bars onStandardError() {
        return new Bars(System.err, Screen.isTerminal(2));
    }

    /**
     * Tells how far one of them is.
     *
     * @param moves whether bytes are on their way: that alone is no change of state
     */
    public void at(String name, String state, long done, long total, boolean moves) {
        Bar bar = new Bar(state, done, total, moves);
        Bar before = bars.put(name, bar);
        boolean changed = before == null || !before.state.equals(state);
        if (!terminal) {
            if (changed) {
                Screen.print(out, "%s: %s%s%n".formatted(name, state, total > 0 ? ", " + Amounts.size(total) : ""));
            }
        } else if (changed || System.nanoTime() - drawnAt >= REFRESH.toNanos()) {
            draw();
        }
    }

    /** A line that stays. */
    public void line(String text) {
        if (terminal) {
            erase();
        }
        Screen.print(out, text + System.lineSeparator());
        if (terminal) {
            draw();
        }
    }

    private void erase() {
        if (drawn > 0) {
            Screen.print(out, "\033[%dA\033[J".formatted(drawn));
            drawn = 0;
        }
    }

    private void draw() {
        erase();
        StringBuilder text = new StringBuilder();
        long bytes = 0;
        for (Map.Entry<String, Bar> entry : bars.entrySet()) {
            Bar bar = entry.getValue();
            text.append("%-22s %-14s %s %s%n".formatted(entry.getKey(), bar.state, filled(bar), amount(bar)));
            bytes += bar.moves ? bar.done : bar.state.equals("waiting") ? 0 : bar.total;
        }
        double seconds = (System.nanoTime() - started) / 1e9;
        text.append("%.1f s, %s, %s/s%n"
                .formatted(seconds, Amounts.size(bytes), Amounts.size((long) (bytes / Math.max(seconds, 0.1)))));
        Screen.print(out, text.toString());
        drawn = bars.size() + 1;
        drawnAt = System.nanoTime();
    }

    private static String filled(Bar bar) {
        int full = bar.state.equals("waiting")
                ? 0
                : bar.moves && bar.total > 0 ? (int) Math.min(WIDTH, bar.done * WIDTH / bar.total) : WIDTH;
        return "[" + "=".repeat(full) + " ".repeat(WIDTH - full) + "]";
    }

    private static String amount(Bar bar) {
        if (bar.total <= 0) {
            return "";
        }
        return bar.moves ? Amounts.size(bar.done) + " of " + Amounts.size(bar.total) : Amounts.size(bar.total);
    }

    /** Leaves the last state on the screen. */
    @Override
    public void close() {
        if (terminal && !bars.isEmpty()) {
            draw();
        }
    }
}
