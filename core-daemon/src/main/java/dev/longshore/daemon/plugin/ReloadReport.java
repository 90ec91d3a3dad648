package dev.longshore.daemon.plugin;

import java.util.List;

/**
 * What came of reading the configuration again.
 *
 * @param changes plugins that are not as they were, or were to be
 * @param needsRestart keys that have changed too, and take effect when the daemon is restarted
 * @param warnings what the files have that is of no effect, with its place
 */
public record ReloadReport(List<Change> changes, List<String> needsRestart, List<String> warnings) {

    /** What became of a plugin. */
    public enum Action {
        ADDED,
        CHANGED,
        REMOVED,
        /** It is as it was. */
        REFUSED
    }

    /**
     * A plugin that was to be another.
     *
     * @param plugin type and id
     * @param reason why it was refused, or what has changed; may be empty
     */
    public record Change(String plugin, Action action, String reason) {}

    public ReloadReport {
        changes = List.copyOf(changes);
        needsRestart = List.copyOf(needsRestart);
        warnings = List.copyOf(warnings);
    }
}
