package dev.longshore.stargz;

import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.flag.Flags;
import dev.longshore.sdk.flag.Flags.Parsed;
import dev.longshore.sdk.flag.Flags.UsageException;
import dev.longshore.sdk.log.Logging;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The program {@code longshore-snapshotter-stargz}. Exits 0 when told to end, 1 on errors, 2 on a wrong command line. */
public final class Main {

    private Main() {}

    public static void main(String[] arguments) throws InterruptedException {
        Flags flags = Config.flags();
        try {
            Parsed parsed = flags.parse(List.of(arguments));
            if (parsed.has("help")) {
                System.out.print(flags.help());
                return;
            }
            if (parsed.has("version")) {
                System.out.println("longshore-snapshotter-stargz "
                        + Optional.ofNullable(Main.class.getPackage().getImplementationVersion())
                                .orElse("(not from a jar)"));
                return;
            }
            Config config = Config.of(parsed, Path.of("/etc/longshore/stargz.toml"));
            Logging.configure(config.logLevel());
            Wiring wiring = new Wiring(config, System.getenv());
            if (parsed.has("rehearse")) {
                wiring.rehearse();
            }
            wiring.serve();
        } catch (UsageException e) {
            fail(2, e.getMessage() + "\n" + flags.help());
        } catch (ContainerdException e) {
            fail(1, String.valueOf(e.getMessage()));
        } catch (IOException e) {
            fail(1, e.toString());
        }
    }

    private static void fail(int code, String message) {
        System.err.println("longshore-snapshotter-stargz: " + message);
        System.exit(code);
    }
}
