package dev.longshore.sdk.mount;

import java.util.List;

/**
 * One mount, as a snapshotter describes it; a list of them is made in order on one target.
 *
 * @param type {@code overlay}, {@code bind}, or another type of mount(2)
 * @param source what is mounted; empty where the type needs none
 * @param target a path below the place where the list is mounted; empty for that place itself
 * @param options of fstab(5), flags and data mixed
 */
public record Mount(String type, String source, String target, List<String> options) {

    public Mount {
        options = List.copyOf(options);
    }

    public Mount(String type, String source, List<String> options) {
        this(type, source, "", options);
    }

    /** Whether {@code ro} is among the options. */
    public boolean readOnly() {
        return options.contains("ro");
    }
}
