package dev.longshore.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code longshore completion}. */
@Command(
        name = "completion",
        description = "Prints a script that completes commands and flags.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  bash:  source <(longshore completion bash)",
            "         longshore completion bash > /etc/bash_completion.d/longshore",
            "  zsh:   source <(longshore completion zsh)"
        })
final class CompletionCommand implements Runnable {

    /** Shells that can complete. */
    enum Shell {
        BASH,
        ZSH
    }

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Parameters(paramLabel = "bash|zsh", description = "the shell")
    private Shell shell = Shell.BASH;

    @Override
    public void run() {
        // The script loads bash's functions itself where it finds itself in zsh, but only once zsh has found them.
        String head = shell == Shell.ZSH ? "autoload -U +X compinit && compinit\n" : "";
        spec.commandLine()
                .getOut()
                .print(head + AutoComplete.bash("longshore", spec.root().commandLine()));
        spec.commandLine().getOut().flush();
    }
}
