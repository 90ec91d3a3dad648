package dev.longshore.daemon.boot;

import dev.longshore.sdk.diff.Applier;
import dev.longshore.sdk.diff.Comparer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** The differs in the order in which they are tried: the daemon's own, and whatever plugins there are at the moment. */
final class Differs {

    private final Function<String, Optional<Applier>> pluginAppliers;
    private final Function<String, Optional<Comparer>> pluginComparers;
    private final Optional<BuiltIn> builtIn;
    private volatile List<String> order;

    /** The daemon's own differ, {@code walking}. */
    record BuiltIn(Applier applier, Comparer comparer) {}

    /**
     * @param pluginAppliers plugins by their names
     * @param pluginComparers plugins by their names
     * @param builtIn empty if it is disabled
     * @param order names; those that there are no differs for are passed over
     */
    Differs(
            Function<String, Optional<Applier>> pluginAppliers,
            Function<String, Optional<Comparer>> pluginComparers,
            Optional<BuiltIn> builtIn,
            List<String> order) {
        this.pluginAppliers = pluginAppliers;
        this.pluginComparers = pluginComparers;
        this.builtIn = builtIn;
        this.order = List.copyOf(order);
    }

    /** From the next call on. */
    void order(List<String> names) {
        order = List.copyOf(names);
    }

    List<Applier> appliers() {
        return inOrder(BuiltIn::applier, pluginAppliers);
    }

    /** The daemon's own applier, if it is the first of {@link #appliers}. */
    Optional<Applier> firstIfBuiltIn() {
        return appliers().stream()
                .findFirst()
                .filter(first -> builtIn.map(BuiltIn::applier).equals(Optional.of(first)));
    }

    List<Comparer> comparers() {
        return inOrder(BuiltIn::comparer, pluginComparers);
    }

    private <D> List<D> inOrder(Function<BuiltIn, D> own, Function<String, Optional<D>> plugin) {
        List<D> differs = new ArrayList<>();
        for (String name : order) {
            (name.equals(Config.WALKING) ? builtIn.map(own) : plugin.apply(name)).ifPresent(differs::add);
        }
        return differs;
    }
}
