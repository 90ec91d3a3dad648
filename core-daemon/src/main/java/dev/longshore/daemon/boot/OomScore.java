package dev.longshore.daemon.boot;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How likely the kernel ends the daemon when memory runs out; see proc_pid_oom_score_adj(5). */
final class OomScore {

    private static final Logger log = LoggerFactory.getLogger(OomScore.class);

    private OomScore() {}

    /** @param score -1000 (never) to 1000; 0 leaves it as it is. To lower it takes CAP_SYS_RESOURCE: without it, a warning. */
    static void set(int score) {
        if (score == 0) {
            return;
        }
        try {
            Files.writeString(Path.of("/proc/self/oom_score_adj"), Integer.toString(score));
        } catch (IOException e) {
            log.atWarn()
                    .addKeyValue("oom_score", score)
                    .addKeyValue("err", e.getMessage())
                    .log("the kernel does not let the daemon have this oom_score");
        }
    }
}
