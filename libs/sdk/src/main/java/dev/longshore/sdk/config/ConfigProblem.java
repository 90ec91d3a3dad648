package dev.longshore.sdk.config;

/**
 * Something in a configuration that is wrong or of no effect.
 *
 * @param place {@code file:line:column}
 */
public record ConfigProblem(String place, String message) {

    @Override
    public String toString() {
        return place + ": " + message;
    }
}
