package dev.longshore.shim;

import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.TerminalSize;
import dev.longshore.sdk.socket.ConsoleSocket;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The controlling side of a process' terminal, copied from and to the client's files. Reading blocks in the kernel, so each
 * direction has a platform thread.
 */
final class TerminalStdio implements AutoCloseable {

    private static final int BUFFER = 32 << 10;

    private final ConsoleSocket.Terminal terminal;
    private final ProcessStdio.Addresses addresses;
    private final CountDownLatch drained = new CountDownLatch(1);
    private volatile boolean closed;

    TerminalStdio(ConsoleSocket.Terminal terminal, ProcessStdio.Addresses addresses) {
        this.terminal = terminal;
        this.addresses = addresses;
    }

    void start() {
        Thread.ofPlatform().daemon(true).name("terminal-out").start(this::copyOut);
        if (!addresses.stdin().isEmpty()) {
            Thread.ofPlatform().daemon(true).name("terminal-in").start(this::copyIn);
        }
    }

    private void copyOut() {
        // The input is not closed here: whoever writes to the terminal uses the same descriptor.
        InputStream from = new FileInputStream(terminal.descriptor());
        try (OutputStream to = output()) {
            byte[] buffer = new byte[BUFFER];
            for (int count; (count = from.read(buffer)) >= 0; ) {
                to.write(buffer, 0, count);
            }
        } catch (IOException e) {
            // EIO is how a terminal says that the last process has left it.
            if (!String.valueOf(e.getMessage()).contains("Input/output error")) {
                ShimLog.warn("output of a terminal is lost: " + e.getMessage());
            }
        } finally {
            drained.countDown();
        }
    }

    private OutputStream output() throws IOException {
        if (addresses.stdout().isEmpty()) {
            return OutputStream.nullOutputStream();
        }
        Path file = ProcessStdio.path(addresses.stdout());
        if (addresses.stdout().startsWith("file:")) {
            return new FileOutputStream(file.toFile(), true);
        }
        // Held for reading too: a client that goes away must not end the copy.
        RandomAccessFile fifo = new RandomAccessFile(file.toFile(), "rw");
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                fifo.write(b);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                fifo.write(bytes, offset, length);
            }

            @Override
            public void close() throws IOException {
                fifo.close();
            }
        };
    }

    private void copyIn() {
        File fifo = ProcessStdio.path(addresses.stdin()).toFile();
        try (RandomAccessFile from = new RandomAccessFile(fifo, "rw")) {
            OutputStream to = new FileOutputStream(terminal.descriptor());
            byte[] buffer = new byte[BUFFER];
            for (int count; (count = from.read(buffer)) >= 0 && !closed; ) {
                to.write(buffer, 0, count);
            }
        } catch (IOException e) {
            if (!closed) {
                ShimLog.warn("input of a terminal is lost: " + e.getMessage());
            }
        }
    }

    void resize(int columns, int rows) throws ErrnoException {
        TerminalSize.set(terminal.number(), columns, rows);
    }

    /** Waits until everything that was printed has been copied. */
    void awaitDrained(Duration timeout) throws InterruptedException {
        if (!drained.await(timeout.toNanos(), TimeUnit.NANOSECONDS)) {
            ShimLog.warn("a terminal is still in use after its process has ended");
        }
    }

    /** Ends the copy of the input, which a read would hold for ever. */
    @Override
    public void close() throws IOException {
        closed = true;
        if (!addresses.stdin().isEmpty()) {
            File fifo = ProcessStdio.path(addresses.stdin()).toFile();
            if (fifo.exists()) {
                try (RandomAccessFile wake = new RandomAccessFile(fifo, "rw")) {
                    wake.write('\n');
                }
            }
        }
        terminal.close();
    }
}
