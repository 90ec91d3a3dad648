package dev.longshore.daemon.proxyplugin;

/** A plugin's way from one state to another. */
public record PluginChange(ProxyPluginConfig plugin, PluginHealth before, PluginHealth now) {

    /** Whether it is there after it was not. */
    public boolean isArrival() {
        return now.state().isUsable() && !before.state().isUsable();
    }
}
