package dev.longshore.stargz.fuse;

import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FuseDevice;
import dev.longshore.sdk.linux.NativeBuffer;
import dev.longshore.stargz.fuse.Request.Header;
import dev.longshore.stargz.fuse.Request.Kind;
import dev.longshore.stargz.index.LayerIndex;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves one connection until its file system is unmounted: threads that wait for requests and answer them, one at a time each.
 * Reads of what is not on this machine go to workers, so that they keep nobody else waiting; what the kernel has in flight bounds
 * them.
 *
 * <p>The descriptor is closed when the last thread has ended and the last read is answered: its number may be another file's then.
 */
final class FuseSession {

    private static final Logger log = LoggerFactory.getLogger(FuseSession.class);

    /** Two suffice: a request takes some 20 microseconds, and more of them only wait for each other. */
    private static final int THREADS = 2;

    private static final long STACK_SIZE = 256 << 10;

    private static final int REQUEST_BUFFER = 2 * Protocol.MIN_READ_BUFFER;

    /** What the kernel reads at once if it is not told otherwise, and an answer's header. */
    private static final int ANSWER_BUFFER = (128 << 10) + 4096;

    /** Pages of 4 KiB: 1 MiB is the most that is read at once. */
    private static final int MAX_PAGES = 256;

    private static final int MAX_READ = MAX_PAGES << 12;
    static final int LARGEST_ANSWER = Protocol.OUT_HEADER + MAX_READ;
    private static final int MAX_BACKGROUND = 64;

    private final FuseDevice device;
    private final LayerIndex index;
    private final FileData data;
    private final FuseOptions options;
    private final FuseWorkers workers;
    private final Answers answers;
    private final ReadFailures failures;
    private final Optional<Backings> backings;

    private final CompletableFuture<Features> features = new CompletableFuture<>();
    /** Reads that workers do, by what the kernel calls them; as many as it has in flight. */
    private final Map<Long, PendingRead> remote = new ConcurrentHashMap<>();

    private final AtomicInteger users = new AtomicInteger(THREADS);
    private final AtomicInteger serving = new AtomicInteger(THREADS);
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile boolean silent;

    FuseSession(
            FuseDevice device,
            LayerIndex index,
            FileData data,
            FuseOptions options,
            FuseWorkers workers,
            Optional<Backings> backings) {
        this.device = device;
        this.index = index;
        this.data = data;
        this.options = options;
        this.workers = workers;
        this.backings = backings;
        answers = new Answers(index, options);
        failures = new ReadFailures(options.layer(), index);
    }

    void start() {
        for (int i = 0; i < THREADS; i++) {
            Thread.ofPlatform()
                    .daemon()
                    .stackSize(STACK_SIZE)
                    .name("fuse-" + options.layer() + "-" + i)
                    .start(this::serve);
        }
    }

    /** What was agreed on is known from when the file system was mounted. */
    void resume(Features agreed) {
        features.complete(agreed);
    }

    /** Waits for the kernel's first request. */
    Features awaitFeatures(Duration timeout) throws IOException {
        try {
            return features.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the kernel was to begin with FUSE", e);
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException("FUSE did not begin: " + e, e);
        }
    }

    /** Waits until the file system is unmounted and nobody uses it any more. */
    boolean awaitEnd(Duration timeout) throws InterruptedException {
        return ended.await(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** From now on nothing is answered: it will be asked again, of somebody else. */
    void silence() {
        silent = true;
    }

    private void serve() {
        try (NativeBuffer in = new NativeBuffer(REQUEST_BUFFER);
                NativeBuffer out = new NativeBuffer(ANSWER_BUFFER)) {
            for (int length = device.read(in); length >= 0 && !silent; length = device.read(in)) {
                Optional<Request> request = Request.parse(in.bytes(), length);
                if (request.isEmpty()) {
                    log.atError().addKeyValue("layer", options.layer()).log("a request from the kernel has no header");
                } else {
                    answer(request.get(), out);
                }
            }
        } catch (ErrnoException | RuntimeException | Error e) {
            // The other thread goes on; without any, readers wait until the mount is taken over.
            log.atError().addKeyValue("layer", options.layer()).setCause(e).log("a thread that serves a layer ends");
        } finally {
            if (serving.decrementAndGet() == 0) {
                // Whoever still waits is told by somebody else, or not at all; and a registry may be waited for as long
                // as it takes.
                remote.values().forEach(PendingRead::abandon);
            }
            release();
        }
    }

    private void release() {
        if (users.decrementAndGet() == 0) {
            device.close();
            closeBackings();
            features.completeExceptionally(new IOException("the file system is unmounted"));
            ended.countDown();
        }
    }

    /** Of a session that is not started: a started one does it at its end. */
    void closeBackings() {
        try {
            if (backings.isPresent()) {
                backings.get().close();
            }
        } catch (IOException e) {
            log.atWarn()
                    .addKeyValue("layer", options.layer())
                    .addKeyValue("err", e.toString())
                    .log("the journal of backing files cannot be closed");
        }
    }

    private void answer(Request request, NativeBuffer out) throws ErrnoException {
        if (request instanceof Request.Read read
                && answers.isLayers(read.header().node())) {
            read(read, out);
            return;
        }
        ByteBuffer body = body(out);
        int result;
        try {
            result = result(request, body);
        } catch (RuntimeException | IOException e) {
            log.atError().addKeyValue("layer", options.layer()).setCause(e).log("a request cannot be answered");
            result = -Errno.EIO;
        }
        if (result != NO_ANSWER) {
            reply(request.header().unique(), result, out);
        }
    }

    /** Instead of a length or an error. */
    private static final int NO_ANSWER = Integer.MIN_VALUE;

    private static ByteBuffer body(NativeBuffer out) {
        return out.bytes()
                .slice(Protocol.OUT_HEADER, out.size() - Protocol.OUT_HEADER)
                .order(ByteOrder.nativeOrder());
    }

    private int result(Request request, ByteBuffer out) throws IOException {
        return switch (request) {
            case Request.Init init -> init(init, out);
            case Request.Read read ->
                answers.status().map(s -> s.read(read, out)).orElse(-Errno.ESTALE);
            case Request.Open open -> open(open, out);
            case Request.Release release -> release(release);
            // Not supported: then the kernel opens by itself, keeps what it has read, and never asks again.
            case Request.OpenFolder _ -> -Errno.ENOSYS;
            case Request.Interrupt interrupt -> {
                interrupt(interrupt.interrupted());
                yield NO_ANSWER;
            }
            case Request.Plain(Header _, Kind kind) when kind == Kind.FORGET -> NO_ANSWER;
            default -> answers.answer(request, out);
        };
    }

    private int init(Request.Init init, ByteBuffer out) {
        for (int i = 0; i < Protocol.INIT_OUT; i += 8) {
            out.putLong(i, 0);
        }
        out.putInt(0, Protocol.MAJOR).putInt(4, Protocol.MINOR);
        if (init.major() > Protocol.MAJOR) {
            return Protocol.INIT_OUT; // it asks again, in our version
        }
        if (init.major() < Protocol.MAJOR || init.minor() < Protocol.OLDEST_MINOR) {
            features.completeExceptionally(new IOException(
                    "the kernel speaks version %d.%d of FUSE: 7.31 (Linux 5.4) is the oldest that is known"
                            .formatted(init.major(), init.minor())));
            return -Errno.EPROTO;
        }
        long wanted = Protocol.ASYNC_READ
                | Protocol.AUTO_INVAL_DATA
                | Protocol.DO_READDIRPLUS
                | Protocol.NO_OPEN_SUPPORT
                | Protocol.PARALLEL_DIROPS
                | Protocol.MAX_PAGES
                | Protocol.CACHE_SYMLINKS
                | Protocol.NO_OPENDIR_SUPPORT
                | Protocol.INIT_EXT
                | Protocol.HAS_RESEND
                | Protocol.ALLOW_IDMAP
                | (backings.isPresent() ? Protocol.PASSTHROUGH : 0);
        long flags = init.flags() & wanted;
        boolean passthrough = (flags & Protocol.PASSTHROUGH) != 0;
        out.putInt(4, Math.min(init.minor(), Protocol.MINOR))
                .putInt(8, init.maxReadahead())
                .putInt(12, (int) flags)
                .putShort(16, (short) MAX_BACKGROUND)
                .putShort(18, (short) (MAX_BACKGROUND * 3 / 4))
                .putInt(20, 4096) // nothing is written
                .putInt(24, 1)
                .putShort(28, (short) MAX_PAGES)
                .putInt(32, (int) (flags >>> 32))
                // One below an overlay: with two no overlay could be mounted on it.
                .putInt(36, passthrough ? 1 : 0);
        features.complete(new Features(init.minor(), (flags & Protocol.HAS_RESEND) != 0, passthrough));
        return Protocol.INIT_OUT;
    }

    /** The handle of a file whose release matters. */
    private static final long COUNTED = 1;

    private int release(Request.Release release) {
        if (release.handle() == COUNTED && backings.isPresent()) {
            backings.get().release((int) release.header().node());
        }
        return 0;
    }

    private int open(Request.Open open, ByteBuffer out) throws IOException {
        if (backings.isEmpty()
                || !features.getNow(new Features(0, false, false)).passthrough()) {
            return -Errno.ENOSYS; // as for folders
        }
        long node = open.header().node();
        out.putLong(0, 0).putLong(8, 0);
        if (answers.isLayers(node)) {
            Backings.Opened opened = backings.get().open((int) node);
            out.putLong(0, opened.counted() ? COUNTED : 0)
                    .putInt(
                            8,
                            opened.id().isPresent()
                                    ? Protocol.FOPEN_PASSTHROUGH | Protocol.FOPEN_NOFLUSH
                                    : Protocol.FOPEN_KEEP_CACHE | Protocol.FOPEN_NOFLUSH)
                    .putInt(12, opened.id().orElse(0));
        }
        return Protocol.OPEN_OUT;
    }

    // Reading.

    private void read(Request.Read read, NativeBuffer out) throws ErrnoException {
        int inode = (int) read.header().node();
        if (!index.isRegular(inode)) {
            reply(read.header().unique(), -Errno.EINVAL, out);
            return;
        }
        long left = index.size(inode) - read.offset();
        int length = (int) Math.max(0, Math.min(Math.min(read.size(), MAX_READ), left));
        if (length > out.size() - Protocol.OUT_HEADER) {
            NativeBuffer large;
            try {
                large = workers.takeBuffer();
            } catch (VirtualMachineError e) {
                fail(read, inode, e, out);
                return;
            }
            try {
                readLocal(read, inode, length, large);
            } finally {
                workers.giveBack(large);
            }
        } else {
            readLocal(read, inode, length, out);
        }
    }

    private void readLocal(Request.Read read, int inode, int length, NativeBuffer out) throws ErrnoException {
        ByteBuffer to = body(out).limit(length);
        try {
            if (length > 0 && !data.readLocal(inode, read.offset(), to)) {
                users.incrementAndGet();
                PendingRead pending = new PendingRead(read.header().thread());
                remote.put(read.header().unique(), pending);
                workers.execute(() -> readRemote(read, inode, length, pending));
                return;
            }
            reply(read.header().unique(), filled(to, length), out);
        } catch (IOException | RuntimeException | VirtualMachineError e) {
            // Also for want of memory, or of the disk behind a mapped file: who reads must not wait for ever.
            fail(read, inode, e, out);
        }
    }

    private void readRemote(Request.Read read, int inode, int length, PendingRead pending) {
        NativeBuffer out;
        try {
            out = workers.takeBuffer();
        } catch (VirtualMachineError e) {
            refuse(read, inode, pending, e);
            return;
        }
        try {
            int result = -Errno.EIO;
            Optional<Throwable> failure = Optional.empty();
            try {
                if (!pending.isAbandoned()) {
                    ByteBuffer to = body(out).limit(length);
                    data.read(inode, read.offset(), to, pending.gone());
                    result = filled(to, length);
                }
            } catch (IOException | RuntimeException | VirtualMachineError e) {
                failure = Optional.of(e);
            }
            if (pending.answer() && !pending.isAbandoned()) {
                reply(read.header().unique(), result, out);
                // After the answer: where memory is wanted, even a line of the log may be too much.
                failure.ifPresent(cause -> failures.tell(inode, read.offset(), cause));
            }
        } catch (ErrnoException e) {
            log.atError().addKeyValue("layer", options.layer()).setCause(e).log("a read cannot be answered");
        } finally {
            workers.giveBack(out);
            remote.remove(read.header().unique(), pending);
            release();
        }
    }

    /** There is no memory for the answer: who reads must not wait for ever. */
    private void refuse(Request.Read read, int inode, PendingRead pending, VirtualMachineError cause) {
        try (NativeBuffer out = new NativeBuffer(Protocol.OUT_HEADER)) {
            if (pending.answer() && !pending.isAbandoned()) {
                fail(read, inode, cause, out);
            }
        } catch (ErrnoException e) {
            log.atError().addKeyValue("layer", options.layer()).setCause(e).log("a read cannot be answered");
        } finally {
            remote.remove(read.header().unique(), pending);
            release();
        }
    }

    /**
     * Lets a reader go that is to die. The kernel tells of one signal only, the first; and for one that is not deadly nothing may be
     * answered, because EINTR would reach a program that expects none from a file, and a page fault as SIGBUS. So it is looked after
     * until it is killed or has its answer.
     */
    private void interrupt(long unique) {
        PendingRead pending = remote.get(unique);
        if (pending != null && pending.interrupt()) {
            users.incrementAndGet();
            Thread.startVirtualThread(() -> awaitKill(unique, pending));
        }
    }

    private void awaitKill(long unique, PendingRead pending) {
        try (NativeBuffer out = new NativeBuffer(Protocol.OUT_HEADER)) {
            if (pending.awaitKill() && pending.answer()) {
                reply(unique, -Errno.EINTR, out);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            log.atError().addKeyValue("layer", options.layer()).setCause(e).log("a reader cannot be let go");
        } finally {
            release();
        }
    }

    private static int filled(ByteBuffer to, int length) throws IOException {
        if (length > 0 && to.hasRemaining()) {
            throw new IOException("%d bytes of %d were read".formatted(to.position(), length));
        }
        return length;
    }

    private void fail(Request.Read read, int inode, Throwable cause, NativeBuffer out) throws ErrnoException {
        // First: where memory is wanted, even a line of the log may be too much.
        reply(read.header().unique(), -Errno.EIO, out);
        failures.tell(inode, read.offset(), cause);
    }

    /** @param result bytes of the body that are in {@code out}, or an error number with a minus */
    private void reply(long unique, int result, NativeBuffer out) throws ErrnoException {
        if (silent) {
            return;
        }
        int length = Protocol.OUT_HEADER + Math.max(0, result);
        out.bytes().putInt(0, length).putInt(4, Math.min(0, result)).putLong(8, unique);
        device.write(out, length);
    }

    /** For a process that is to hold the connection. */
    FuseDevice device() {
        return device;
    }

    /** Asks the kernel for what it waits for an answer to. */
    void requestAgain() throws ErrnoException {
        try (NativeBuffer out = new NativeBuffer(Protocol.OUT_HEADER)) {
            out.bytes()
                    .putInt(0, Protocol.OUT_HEADER)
                    .putInt(4, Protocol.NOTIFY_RESEND)
                    .putLong(8, 0);
            device.write(out, Protocol.OUT_HEADER);
        }
    }
}
