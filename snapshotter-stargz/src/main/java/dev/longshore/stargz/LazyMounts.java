package dev.longshore.stargz;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.sdk.json.Json;
import dev.longshore.stargz.erofs.ErofsMount;
import dev.longshore.stargz.fuse.FuseMount;
import dev.longshore.stargz.fuse.FuseOptions;
import dev.longshore.stargz.fuse.FuseWorkers;
import dev.longshore.stargz.fuse.StatusFile;
import dev.longshore.stargz.layer.Layer;
import dev.longshore.stargz.layer.Layers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The layers that are mounted on the folders of snapshots. What is mounted where is written down before it is mounted, so that a
 * program that was killed finds all of it. Safe for use by many threads, each with another snapshot.
 */
final class LazyMounts implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(LazyMounts.class);

    /** Reads at a time that wait for bytes, over all mounts. */
    private static final int WORKERS = 64;

    /** KiB: fewer requests for files that are read from beginning to end. */
    private static final int READ_AHEAD = 1024;

    /** How long a layer that is unmounted is kept for those who still have files of it open, before it is looked at again. */
    private static final Duration LINGER = Duration.ofMinutes(1);

    /** How often it is looked whether somebody has killed a process that holds a mount. */
    private static final Duration HOLDERS = Duration.ofSeconds(10);

    private final StargzLayout layout;
    private final Layers layers;
    private final List<String> opaqueXattrs;
    private final FuseWorkers workers = new FuseWorkers(WORKERS);
    private final Map<Long, Mounted> mounts = new ConcurrentHashMap<>();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final ReentrantLock imageMounting = new ReentrantLock();
    private final ReentrantLock lock = new ReentrantLock();

    /** How many mounts a layer has. Guarded by lock. */
    private final Map<Digest, Integer> uses = new HashMap<>();

    /**
     * A layer on a snapshot's folder: on FUSE, and above that, for those who mount overlays on it from then on, on its image. A layer whose
     * image was there before its mount was made, as after a start of the machine, is on the image alone.
     *
     * @param image whether the image is mounted, or must not be tried again
     */
    private record Mounted(Layer layer, Path files, Optional<FuseMount> fuse, boolean image) {}

    LazyMounts(StargzLayout layout, Layers layers, List<String> opaqueXattrs) throws IOException {
        this.layout = layout;
        this.layers = layers;
        this.opaqueXattrs = List.copyOf(opaqueXattrs);
        Files.createDirectories(layout.mounts());
        Thread.ofPlatform().daemon().name("holders").start(this::keepHeld);
    }

    private void keepHeld() {
        try {
            while (!closed.await(HOLDERS.toMillis(), TimeUnit.MILLISECONDS)) {
                for (Mounted mounted : mounts.values()) {
                    mounted.fuse.ifPresent(mount -> keepHeld(mounted.layer, mount));
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void keepHeld(Layer layer, FuseMount mount) {
        try {
            if (mount.keepHeld()) {
                log.atWarn()
                        .addKeyValue("layer", layer)
                        .addKeyValue("pid", mount.holderPid())
                        .log("the process that held a mount has ended, another one holds it now");
            }
        } catch (IOException e) {
            log.atWarn().addKeyValue("layer", layer).setCause(e).log("cannot look after who holds a mount");
        }
    }

    /** The layer that is mounted on a snapshot's folder. */
    Optional<Layer> find(long id) {
        return Optional.ofNullable(mounts.get(id)).map(Mounted::layer);
    }

    int count() {
        return mounts.size();
    }

    /** The layer that is, or should be, mounted on a snapshot's folder. */
    Optional<Digest> expected(long id) throws IOException {
        try {
            return Optional.of(Digest.parse(Files.readString(layout.layerOf(id))));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    /**
     * Mounts a layer.
     *
     * @return false if the layer was given up by its last user meanwhile: it has to be asked for again
     */
    boolean mount(long id, Path files, Layer layer) throws IOException {
        if (!retain(layer)) {
            return false;
        }
        try {
            DurableFiles.write(layout.layerOf(id), layer.digest().toString().getBytes(StandardCharsets.UTF_8));
            FuseMount mount = FuseMount.mount(
                    files,
                    layer.digest().toString(),
                    layer.index(),
                    layer.content(),
                    options(layer),
                    workers,
                    layout.holderOf(id));
            mounts.put(id, new Mounted(layer, files, Optional.of(mount), false));
            return true;
        } catch (IOException | RuntimeException e) {
            release(layer);
            Files.deleteIfExists(layout.layerOf(id));
            throw e;
        }
    }

    /** Goes on with a mount of an earlier process, or makes it anew if nobody has held it. */
    void restore(long id, Path files, Layer layer) throws IOException {
        if (!retain(layer)) {
            throw new IllegalStateException("layers go while they are restored");
        }
        try {
            mounts.put(id, adopted(id, files, layer));
        } catch (IOException | RuntimeException e) {
            release(layer);
            throw e;
        }
    }

    private Mounted adopted(long id, Path files, Layer layer) throws IOException {
        try {
            FuseMount mount = FuseMount.adopt(
                    files, layer.index(), layer.content(), options(layer), workers, layout.holderOf(id));
            return new Mounted(layer, files, Optional.of(mount), ErofsMount.isOn(files));
        } catch (FailedPreconditionException e) {
            log.atInfo()
                    .addKeyValue("layer", layer)
                    .addKeyValue("err", e.getMessage())
                    .log("layer is mounted anew");
        }
        FuseMount.discard(files, layout.holderOf(id));
        if (mountImage(files, layer)) {
            return new Mounted(layer, files, Optional.empty(), true);
        }
        FuseMount mount = FuseMount.mount(
                files,
                layer.digest().toString(),
                layer.index(),
                layer.content(),
                options(layer),
                workers,
                layout.holderOf(id));
        return new Mounted(layer, files, Optional.of(mount), false);
    }

    /**
     * Mounts the image of a layer that has one by now above its FUSE mount. What was mounted on that before goes on with it, and keeps it
     * alive.
     */
    void useImage(long id) {
        Mounted mounted = mounts.get(id);
        if (mounted == null || mounted.image || mounted.layer.image().isEmpty()) {
            return;
        }
        imageMounting.lock();
        try {
            if (mounted.equals(mounts.get(id))) {
                mountImage(mounted.files, mounted.layer);
                mounts.put(id, new Mounted(mounted.layer, mounted.files, mounted.fuse, true));
            }
        } finally {
            imageMounting.unlock();
        }
    }

    /** @return whether it is mounted; if not, FUSE does as well */
    private static boolean mountImage(Path files, Layer layer) {
        Optional<Path> image = layer.image();
        if (image.isEmpty()) {
            return false;
        }
        try {
            ErofsMount.mount(image.get(), files);
            return true;
        } catch (IOException e) {
            log.atWarn().addKeyValue("layer", layer).setCause(e).log("cannot mount the image of a layer");
            return false;
        }
    }

    private FuseOptions options(Layer layer) {
        return new FuseOptions(
                layer.digest() + " of " + layer.reference(),
                opaqueXattrs,
                Optional.of(new StatusFile(layer.digest() + ".json", () -> status(layer))),
                READ_AHEAD,
                layer.backingFiles());
    }

    /** In stargz-snapshotter's words. */
    private static byte[] status(Layer layer) {
        long fetched = layer.fetched();
        Map<String, Object> status = new LinkedHashMap<>();
        status.put("digest", layer.digest().toString());
        status.put("size", layer.size());
        status.put("fetchedSize", fetched);
        status.put("fetchedPercent", layer.size() == 0 ? 100.0 : 100.0 * fetched / layer.size());
        return Json.bytes(status);
    }

    private boolean retain(Layer layer) {
        lock.lock();
        try {
            if (layers.find(layer.digest()).filter(found -> found == layer).isEmpty()) {
                return false;
            }
            uses.merge(layer.digest(), 1, Integer::sum);
            return true;
        } finally {
            lock.unlock();
        }
    }

    private void release(Layer layer) throws IOException {
        lock.lock();
        try {
            int left = uses.merge(layer.digest(), -1, Integer::sum);
            if (left == 0) {
                uses.remove(layer.digest());
                layers.remove(layer.digest());
            }
        } finally {
            lock.unlock();
        }
    }

    /** Takes off what is mounted on a snapshot's folder, by this process or an earlier one; nothing is fine. */
    void unmount(long id, Path files) throws IOException {
        Mounted mounted = mounts.get(id);
        if (mounted != null) {
            if (mounted.fuse.isPresent()) {
                mounted.fuse.get().unmount();
            } else {
                FuseMount.discard(files, layout.holderOf(id));
            }
            mounts.remove(id);
            if (mounted.fuse.isPresent()) {
                // Who has a file open reads on.
                FuseMount fuse = mounted.fuse.get();
                Thread.ofVirtual().name("unmounted-" + id).start(() -> releaseAtEnd(mounted.layer, fuse));
            } else {
                release(mounted.layer);
            }
        } else if (Files.exists(layout.layerOf(id)) || Files.exists(layout.holderOf(id))) {
            FuseMount.discard(files, layout.holderOf(id));
        }
        Files.deleteIfExists(layout.layerOf(id));
    }

    private void releaseAtEnd(Layer layer, FuseMount fuse) {
        try {
            while (!fuse.awaitEnd(LINGER)) {
                log.atDebug().addKeyValue("layer", layer).log("layer is unmounted and still in use");
            }
            release(layer);
        } catch (IOException e) {
            log.atWarn().addKeyValue("layer", layer).setCause(e).log("cannot remove a layer");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Lets go of the mounts, for the next process to take over. */
    @Override
    public void close() {
        closed.countDown();
        mounts.values().forEach(mounted -> mounted.fuse.ifPresent(FuseMount::detach));
        workers.close();
    }
}
