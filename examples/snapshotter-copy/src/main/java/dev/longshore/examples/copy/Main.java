package dev.longshore.examples.copy;

import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.flag.Flags;
import dev.longshore.sdk.flag.Flags.Parsed;
import dev.longshore.sdk.flag.Flags.UsageException;
import dev.longshore.transport.serve.Backend;
import dev.longshore.transport.serve.PluginServer;
import dev.longshore.transport.serve.ServeOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;

/** The program. Exits 0 when told to end, 1 on errors, 2 on a wrong command line. */
public final class Main {

    private Main() {}

    public static void main(String[] arguments) throws InterruptedException {
        Flags flags = ServeOptions.flags(new Flags("snapshotter-copy --address SOCKET --root DIR"))
                .option("root", "DIR", "where snapshots are kept");
        try {
            Parsed parsed = flags.parse(List.of(arguments));
            Path root = Path.of(parsed.require("root")).toAbsolutePath();
            PluginServer.serve(ServeOptions.of(parsed), Backend.of(CopySnapshotter.open(root, Clock.systemUTC())));
        } catch (UsageException e) {
            fail(2, e.getMessage() + "\n" + flags.help());
        } catch (ContainerdException | IOException e) {
            fail(1, e.toString());
        }
    }

    private static void fail(int code, String message) {
        System.err.println("snapshotter-copy: " + message);
        System.exit(code);
    }
}
