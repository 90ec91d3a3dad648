package dev.longshore.daemon.boot;

import dev.longshore.sdk.config.ConfigException;
import dev.longshore.sdk.config.ConfigProblem;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.flag.Flags;
import dev.longshore.sdk.flag.Flags.Parsed;
import dev.longshore.sdk.flag.Flags.UsageException;
import dev.longshore.sdk.log.Logging;
import dev.longshore.sdk.signal.EndSignal;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.slf4j.LoggerFactory;

/** {@code longshored}: the core daemon. */
public final class Main {

    private static final Flags FLAGS = new Flags("longshored [flags] [config default|dump|migrate]")
            .option("config", "FILE", "configuration (default " + Config.DEFAULT_FILE + ")")
            .option("address", "SOCKET", "where to listen, instead of what the configuration says")
            .option("root", "DIR", "for what must survive, instead of what the configuration says")
            .option("state", "DIR", "for what need not, instead of what the configuration says")
            .option("log-level", "LEVEL", "trace, debug, info, warn or error")
            .option("strict", "", "end on what is unknown or of no effect in the configuration, instead of warning");

    private static final Set<List<String>> PRINT = Set.of(List.of("config", "dump"), List.of("config", "migrate"));

    /** To close everything in when told to end. */
    private static final Duration STOPPING = Duration.ofSeconds(15);

    private Main() {}

    public static void main(String[] args) {
        try {
            run(FLAGS.parse(List.of(args)));
        } catch (UsageException e) {
            System.err.println("longshored: " + e.getMessage());
            System.exit(2);
        } catch (ConfigException | ContainerdException | IOException e) {
            System.err.println("longshored: " + e.getMessage());
            System.exit(1);
        } catch (InterruptedException e) {
            System.exit(1);
        }
    }

    private static void run(Parsed flags) throws ConfigException, UsageException, IOException, InterruptedException {
        if (flags.has("help")) {
            System.out.print(FLAGS.help());
            return;
        }
        if (flags.has("version")) {
            System.out.println("longshored " + Wiring.VERSION);
            return;
        }
        if (flags.arguments().equals(List.of("config", "default"))) {
            System.out.print(ConfigText.defaults());
            return;
        }
        ConfigSource source = new ConfigSource(
                flags.value("config").map(Path::of),
                new ConfigReader.Overrides(
                        flags.value("address"),
                        flags.value("root"),
                        flags.value("state"),
                        flags.value("log-level"),
                        flags.has("strict")));
        ConfigReader.Result read = source.read();
        if (PRINT.contains(flags.arguments())) {
            read.warnings().forEach(System.err::println);
            System.out.print(ConfigText.of(read.config()));
            return;
        }
        if (!flags.arguments().isEmpty()) {
            throw flags.unexpected();
        }
        Logging.configure(read.config().logLevel(), read.config().logFormat().equals("json"));
        for (ConfigProblem warning : read.warnings()) {
            LoggerFactory.getLogger(Main.class).warn("configuration: {}", warning);
        }
        try (EndSignal end = EndSignal.listen(STOPPING);
                Wiring wiring = new Wiring(read, source, System.getenv())) {
            wiring.serveUntilTold(end);
        }
    }
}
