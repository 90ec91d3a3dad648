package dev.longshore.shim;

import com.google.protobuf.Timestamp;
import dev.longshore.api.task.v2.DeleteResponse;
import dev.longshore.api.types.RuntimeInfo;
import dev.longshore.sdk.flag.Flags.UsageException;
import java.io.IOException;
import java.time.Instant;
import java.util.List;

/** {@code containerd-shim-runc-v2}, behind its launcher. */
public final class Main {

    /** Of SIGKILL, which {@code delete} ends containers with. */
    private static final int KILLED = 128 + 9;

    private Main() {}

    public static void main(String[] args) {
        try {
            Config config = Config.parse(List.of(args), System.getenv());
            switch (config.action()) {
                case "" -> Wiring.serve(config);
                case "delete" -> delete(config);
                case "info" -> System.out.write(info().toByteArray());
                default -> throw new IOException("unknown action " + config.action());
            }
            System.out.flush();
        } catch (UsageException | IOException e) {
            System.err.println("containerd-shim-runc-v2: " + e.getMessage());
            System.exit(1);
        }
    }

    /** Clears away what a container left that no shim looks after. */
    private static void delete(Config config) throws IOException {
        TaskBundle bundle = new TaskBundle(config.bundle());
        RuncOptions options = RuncOptions.load(bundle);
        Runc runc = Runc.of(options, config.namespace(), bundle);
        runc.deleteIfThere(config.id());
        bundle.unmountRootfs();
        Instant now = Instant.now();
        System.out.write(DeleteResponse.newBuilder()
                .setExitStatus(KILLED)
                .setExitedAt(
                        Timestamp.newBuilder().setSeconds(now.getEpochSecond()).setNanos(now.getNano()))
                .setPid(bundle.initPid().orElse(0))
                .build()
                .toByteArray());
    }

    private static RuntimeInfo info() {
        RuntimeInfo.Builder info = RuntimeInfo.newBuilder().setName("io.containerd.runc.v2");
        info.getVersionBuilder().setVersion("0.1.0").setRevision("longshore");
        return info.build();
    }
}
