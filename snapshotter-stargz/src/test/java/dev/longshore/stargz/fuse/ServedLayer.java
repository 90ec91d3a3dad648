package dev.longshore.stargz.fuse;

import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/**
 * A program that mounts a layer or takes its mount over, and serves it until it is killed. Arguments: {@code mount} or {@code adopt},
 * a folder with {@code index}, {@code mount} and {@code holder}, and how many microseconds a read takes. Says {@code ready}.
 */
final class ServedLayer {

    private ServedLayer() {}

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[1]);
        LayerIndex index = LayerIndex.open(folder.resolve("index"));
        long pause = Long.parseLong(arguments[2]) * 1000;
        PatternData data = new PatternData() {
            @Override
            boolean isRemote(int inode) {
                return inode % 2 == 0;
            }

            @Override
            public void read(int inode, long offset, ByteBuffer to) throws IOException {
                LockSupport.parkNanos(pause);
                super.read(inode, offset, to);
            }
        };
        FuseOptions options = FuseOptions.of("sha256:survivor");
        if (Files.exists(folder.resolve("backing"))) {
            Path backing = folder.resolve("backing");
            options = new FuseOptions(
                    options.layer(),
                    options.opaqueXattrs(),
                    Optional.empty(),
                    0,
                    Optional.of(new OneBackingFile(2, backing)));
        }
        FuseWorkers workers = new FuseWorkers(8);
        Path target = folder.resolve("mount");
        Path record = folder.resolve("holder");
        FuseMount mount = arguments[0].equals("mount")
                ? FuseMount.mount(target, "stargz-test", index, data, options, workers, record)
                : FuseMount.adopt(target, index, data, options, workers, record);
        System.out.println("ready " + mount.features().resend());
        mount.awaitEnd(Duration.ofDays(1));
    }
}
