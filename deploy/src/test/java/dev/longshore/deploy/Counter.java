package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** A container that counts for as long as it runs, and ends with a code of its own when it is sent SIGTERM. */
record Counter(Suite suite, String id, int code) {

    /** Returns when it counts. */
    static Counter start(Suite suite, String snapshotter, String image, String id, int code) {
        String script = "trap 'exit %d' TERM; while true; do echo >>/count; sleep 0.05; done".formatted(code);
        suite.ctr("run", "-d", "--snapshotter", snapshotter, image, id, "sh", "-c", script)
                .ok();
        Counter counter = new Counter(suite, id, code);
        await().atMost(Programs.PATIENCE).until(() -> counter.count() > 0);
        return counter;
    }

    private int count() {
        return Integer.parseInt(
                suite.exec(id, "sh", "-c", "wc -l </count").ok().lines().getFirst());
    }

    /** The container runs, takes orders, and ends with its own code. */
    void livesAndEnds() {
        await().atMost(Programs.PATIENCE).until(() -> suite.status(id).equals("RUNNING"));
        int before = count();
        await().atMost(Programs.PATIENCE).until(() -> count() > before);
        suite.ctr("tasks", "kill", "-s", "SIGTERM", id).ok();
        stopsWith(suite, id, code);
    }

    /** A container ends with this code; its task is deleted then. */
    static void stopsWith(Suite suite, String id, int code) {
        await().atMost(Programs.PATIENCE).until(() -> suite.status(id).equals("STOPPED"));
        assertThat(suite.ctr("tasks", "delete", id).err())
                .as("what the deletion of %s says of its exit", id)
                .contains("exit code " + code);
    }
}
