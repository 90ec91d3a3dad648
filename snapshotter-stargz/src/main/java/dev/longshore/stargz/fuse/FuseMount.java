package dev.longshore.stargz.fuse;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.FuseDevice;
import dev.longshore.sdk.linux.MountCalls;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A layer that is mounted and served. A mount outlives its program: whoever reads from it waits, until another one {@linkplain #adopt
 * takes it over} and answers.
 *
 * <p>What is made, in this order: the connection, a process that holds it, the record of that process, the mount, and the record again
 * with what was agreed on with the kernel. Undone in the reverse order. A program that was killed in between leaves what {@link
 * #discard} removes; only of a mount whose record was written for the second time does anybody know.
 *
 * <p>Kernels before 6.9 do not send again what is unanswered: reads that waited when the program ended wait until they are killed, others
 * go on.
 */
public final class FuseMount {

    private static final Logger log = LoggerFactory.getLogger(FuseMount.class);

    private static final String SUBTYPE = "stargz";
    /** On one folder: this one, another above it. */
    private static final int MOST_MOUNTS = 16;

    private static final Duration BEGIN = Duration.ofSeconds(30);

    private final Path target;
    private final Path record;
    private final String layer;
    private final FuseSession session;
    private volatile Holder holder;
    private volatile boolean unmounted;

    private FuseMount(Path target, Path record, String layer, FuseSession session, Holder holder) {
        this.layer = layer;
        this.target = target;
        this.record = record;
        this.session = session;
        this.holder = holder;
    }

    /**
     * Mounts a layer, read-only, for all users.
     *
     * @param target an empty folder
     * @param source what the mount table shows as the source
     * @param index must stay open until {@link #awaitEnd}
     * @param workers for reads that have to wait
     * @param record where the process that holds the connection is written down; its name with {@code .backing} is used as well
     */
    public static FuseMount mount(
            Path target,
            String source,
            LayerIndex index,
            FileData data,
            FuseOptions options,
            FuseWorkers workers,
            Path record)
            throws IOException {
        Files.deleteIfExists(backingJournal(record));
        FuseDevice device = FuseDevice.open();
        FuseSession session;
        Holder holder;
        try {
            holder = Holder.start(device, options.layer());
            holder.write(record);
            session = session(device, index, data, options, workers, record);
        } catch (IOException | RuntimeException e) {
            device.close();
            endHolder(e, record);
            throw e;
        }
        try {
            device.mount(target, source, SUBTYPE, MountCalls.MS_RDONLY | MountCalls.MS_NOATIME);
        } catch (IOException | RuntimeException e) {
            session.closeBackings();
            device.close();
            endHolder(e, record);
            throw e;
        }
        session.start();
        try {
            Holder complete = holder.with(session.awaitFeatures(BEGIN));
            complete.write(record);
            readAhead(target, options);
            tellTheKernel(target, index);
            return new FuseMount(target, record, options.layer(), session, complete);
        } catch (IOException | RuntimeException e) {
            discardAfter(e, target, record);
            throw e;
        }
    }

    private static FuseSession session(
            FuseDevice device, LayerIndex index, FileData data, FuseOptions options, FuseWorkers workers, Path record)
            throws IOException {
        Optional<Backings> backings = options.backing().isEmpty()
                ? Optional.empty()
                : Optional.of(Backings.open(device, options.backing().get(), backingJournal(record)));
        return new FuseSession(device, index, data, options, workers, backings);
    }

    private static Path backingJournal(Path record) {
        return record.resolveSibling(record.getFileName() + ".backing");
    }

    private static void discardAfter(Exception cause, Path target, Path record) {
        try {
            discard(target, record);
        } catch (IOException | RuntimeException e) {
            cause.addSuppressed(e);
        }
    }

    /** When nothing of ours is mounted: what is there may be somebody else's. */
    private static void endHolder(Exception cause, Path record) {
        try {
            forget(record);
        } catch (IOException | RuntimeException e) {
            cause.addSuppressed(e);
        }
    }

    private static void readAhead(Path target, FuseOptions options) throws IOException {
        if (options.readAheadKib() > 0) {
            long minor = FileStat.of(target).device() & 0xffff_ffffL;
            Files.writeString(
                    Path.of("/sys/class/bdi/0:" + minor + "/read_ahead_kb"), Integer.toString(options.readAheadKib()));
        }
    }

    /**
     * Opens and closes a file, so that the kernel learns now that it need not ask for either. Else the first to close one while the
     * program is away would have to wait for it; that may be a child of a reader, about to execute something else.
     */
    private static void tellTheKernel(Path target, LayerIndex index) throws IOException {
        for (int inode = 1; inode <= index.inodes(); inode++) {
            // Other names can be opened in a UTF-8 locale only; a layer without such a file only misses what is said
            // above.
            if (index.isRegular(inode) && index.path(inode).chars().allMatch(c -> c > 0 && c < 128)) {
                Files.newByteChannel(Path.of(target + index.path(inode))).close();
                return;
            }
        }
    }

    /**
     * Takes over a mount of an earlier program that has been killed or has {@linkplain #detach detached} it. Those who wait for an
     * answer get it now.
     *
     * @param index with the same inodes; options must say the same about backing files
     * @throws FailedPreconditionException if nobody holds the connection any more: the mount is dead, and is to be {@linkplain #discard
     *     discarded} and made anew
     */
    public static FuseMount adopt(
            Path target, LayerIndex index, FileData data, FuseOptions options, FuseWorkers workers, Path record)
            throws IOException {
        Holder holder = Holder.read(record).orElseThrow(() -> dead(target, "there is no record of it"));
        Features features =
                holder.features().orElseThrow(() -> dead(target, "the kernel had not begun when it was left"));
        FuseDevice device = holder.take()
                .orElseThrow(() -> dead(target, "process %d, which held it, has ended".formatted(holder.pid())));
        FuseSession session;
        try {
            session = session(device, index, data, options, workers, record);
        } catch (IOException | RuntimeException e) {
            device.close();
            throw e;
        }
        session.resume(features);
        session.start();
        if (features.resend()) {
            session.requestAgain();
        }
        return new FuseMount(target, record, options.layer(), session, holder);
    }

    private static FailedPreconditionException dead(Path target, String why) {
        return new FailedPreconditionException(
                "the mount on %s cannot be taken over: %s; it has to be made anew".formatted(target, why));
    }

    /**
     * Removes what is left of a mount that is not taken over, and what is mounted above it. Whoever uses it gets ENOTCONN. Nothing there is
     * fine.
     *
     * @throws IOException if it cannot be unmounted
     */
    public static void discard(Path target, Path record) throws IOException {
        unmountAll(target);
        forget(record);
    }

    private static void forget(Path record) throws IOException {
        Optional<Holder> holder = Holder.read(record);
        if (holder.isPresent()) {
            holder.get().end();
        }
        Files.deleteIfExists(backingJournal(record));
        Files.deleteIfExists(record);
    }

    private static void unmountAll(Path target) throws IOException {
        try {
            for (int i = 0; i < MOST_MOUNTS; i++) {
                MountCalls.unmount(target, MountCalls.MNT_DETACH | MountCalls.UMOUNT_NOFOLLOW);
            }
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EINVAL && e.errno() != Errno.ENOENT) { // not a mount, no such folder
                throw e;
            }
        }
    }

    public Path target() {
        return target;
    }

    public Features features() {
        return holder.features().orElseThrow();
    }

    /** The process that holds the connection. */
    public int holderPid() {
        return holder.pid();
    }

    /**
     * Starts another process that holds the connection, if the one before has ended: somebody may have killed it. To be called now and
     * then.
     *
     * @return whether it had ended
     */
    public synchronized boolean keepHeld() throws IOException {
        if (unmounted || holder.isThere()) {
            return false;
        }
        Holder another = Holder.start(session.device(), layer).with(features());
        another.write(record);
        holder = another;
        return true;
    }

    /**
     * Takes the mount away. Who has a file of it open goes on reading, and is served, until it closes it; {@link #awaitEnd} waits for
     * that.
     */
    public synchronized void unmount() throws IOException {
        unmounted = true;
        discard(target, record);
        log.atDebug().addKeyValue("target", target).log("layer unmounted");
    }

    /**
     * Lets go of the mount for another program to take it over: nothing is answered any more, where the kernel sends it again. To be
     * called before anything that reads depend on is closed.
     */
    public void detach() {
        if (features().resend()) {
            session.silence();
        }
    }

    /**
     * Waits until the file system is unmounted and nobody uses it any more.
     *
     * @return whether that is so; then the index may be closed
     */
    public boolean awaitEnd(Duration timeout) throws InterruptedException {
        return session.awaitEnd(timeout);
    }
}
