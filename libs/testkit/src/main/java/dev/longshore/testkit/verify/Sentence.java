package dev.longshore.testkit.verify;

import java.util.Locale;

/**
 * One thing that a contract asks, and how it went.
 *
 * @param method the test's name, e.g. {@code aMissingParentIsNotFound}
 * @param words the same to be read, with what it was tried on in brackets where that differs
 * @param detail why it failed or was skipped, on one line; empty if it passed
 * @param seconds it took
 */
public record Sentence(String method, String words, Outcome outcome, String detail, double seconds) {

    /** How it went. */
    public enum Outcome {
        PASS,
        FAIL,
        SKIP
    }

    /** The words of a method's name: {@code a missing parent is not found}. */
    static String words(String method) {
        return method.replaceAll("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ")
                .toLowerCase(Locale.ROOT);
    }

    @Override
    public String toString() {
        String line = outcome.name().toLowerCase(Locale.ROOT) + "  " + words;
        return detail.isEmpty() ? line : line + ": " + detail;
    }
}
