package dev.longshore.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code longshore plugin}: what is done with one plugin, daemon or not. */
@Command(
        name = "plugin",
        description = "Works on one plugin program. See plugins for those of a daemon.",
        subcommands = PluginVerifyCommand.class,
        mixinStandardHelpOptions = true)
final class PluginCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }
}
