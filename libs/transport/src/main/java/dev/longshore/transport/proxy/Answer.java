package dev.longshore.transport.proxy;

import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.function.Supplier;

/** Reads what a plugin has answered: that it makes no sense is the plugin's fault, and not that of who asked. */
final class Answer {

    private Answer() {}

    /** @throws InternalException if the answer is not one */
    static <T> T of(Supplier<T> reading) {
        try {
            return reading.get();
        } catch (InvalidArgumentException e) {
            throw new InternalException("the answer makes no sense: " + e.getMessage(), e);
        }
    }
}
