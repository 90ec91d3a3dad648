package dev.longshore.stargz.layer;

/** What became of the attempt to read a layer lazily. */
public sealed interface Resolved {

    record Lazy(Layer layer) implements Resolved {}

    /** @param reason why it must be fetched whole, for a person */
    record Ordinary(String reason) implements Resolved {}
}
