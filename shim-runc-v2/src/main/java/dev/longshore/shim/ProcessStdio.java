package dev.longshore.shim;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.ProcessBuilder.Redirect;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Where a process reads from and writes to, by the addresses that the client gave: nothing, a fifo, {@code file://}, {@code
 * binary://} or {@code binary-v2://}. The process gets the files themselves, so no byte passes through the shim.
 *
 * <p>Each fifo is held open for reading and writing as long as the process lives. So opening it waits for nobody, a client that
 * goes away kills nobody with SIGPIPE, and one that comes back finds it.
 */
final class ProcessStdio implements AutoCloseable {

    private final List<RandomAccessFile> holds = new ArrayList<>();
    private @Nullable RandomAccessFile stdinHold;
    private Optional<Path> stdin = Optional.empty();
    private Optional<Path> stdout = Optional.empty();
    private Optional<LogBinary> logger = Optional.empty();
    private Redirect in = Redirect.from(new File("/dev/null"));
    private Redirect out = Redirect.DISCARD;
    private Redirect err = Redirect.DISCARD;

    /** The addresses, as the client gave them. */
    record Addresses(String stdin, String stdout, String stderr, boolean terminal) {}

    private ProcessStdio() {}

    /**
     * Opens what the addresses say.
     *
     * @param containerId for a logging program
     * @param scratch for pipes to a logging program
     */
    static ProcessStdio open(Addresses addresses, String containerId, String namespace, Path scratch)
            throws IOException {
        return open(stdio -> {
            if (addresses.stdout().startsWith("binary")) {
                LogBinary program = LogBinary.prepare(uri(addresses.stdout()), scratch);
                stdio.logger = Optional.of(program);
                stdio.stdout = Optional.of(program.stdout());
                stdio.out = stdio.hold(program.stdout());
                stdio.err = stdio.hold(program.stderr());
                program.start(containerId, namespace);
            } else {
                stdio.openOutput(addresses);
            }
            stdio.openInput(addresses);
        });
    }

    /** Holds the fifos of a process that runs already. A logging program of its own still reads what it prints. */
    static ProcessStdio reopen(Addresses addresses) throws IOException {
        return open(stdio -> {
            if (!addresses.stdout().startsWith("binary")) {
                stdio.openOutput(addresses);
            }
            stdio.openInput(addresses);
        });
    }

    @FunctionalInterface
    private interface Opening {
        void of(ProcessStdio stdio) throws IOException;
    }

    private static ProcessStdio open(Opening opening) throws IOException {
        ProcessStdio stdio = new ProcessStdio();
        try {
            opening.of(stdio);
            return stdio;
        } catch (IOException | RuntimeException e) {
            stdio.close();
            throw e;
        }
    }

    private void openInput(Addresses addresses) throws IOException {
        if (!addresses.stdin().isEmpty()) {
            Path fifo = existing(path(addresses.stdin()), "input");
            stdin = Optional.of(fifo);
            stdinHold = new RandomAccessFile(fifo.toFile(), "rw");
            in = Redirect.from(fifo.toFile());
        }
    }

    private void openOutput(Addresses addresses) throws IOException {
        out = output(addresses.stdout());
        err = addresses.stderr().equals(addresses.stdout()) ? out : output(addresses.stderr());
        stdout = addresses.stdout().isEmpty() ? Optional.empty() : Optional.of(path(addresses.stdout()));
    }

    private static Path existing(Path fifo, String what) {
        if (!Files.exists(fifo)) {
            throw new InvalidArgumentException("%s, for the %s of the process, does not exist".formatted(fifo, what));
        }
        return fifo;
    }

    private Redirect output(String address) throws IOException {
        if (address.isEmpty()) {
            return Redirect.DISCARD;
        }
        Path file = path(address);
        if (address.startsWith("file:")) {
            Path folder = file.getParent();
            if (folder != null) {
                Files.createDirectories(folder);
            }
            return Redirect.appendTo(file.toFile());
        }
        return hold(file);
    }

    private Redirect hold(Path fifo) throws IOException {
        holds.add(new RandomAccessFile(existing(fifo, "output").toFile(), "rw"));
        return Redirect.appendTo(fifo.toFile());
    }

    /** The file of an address without a scheme, or with {@code fifo} or {@code file}. */
    static Path path(String address) {
        if (address.startsWith("/")) {
            return Path.of(address);
        }
        URI uri = uri(address);
        String path = uri.getPath();
        if (path != null && ("fifo".equals(uri.getScheme()) || "file".equals(uri.getScheme()))) {
            return Path.of(path);
        }
        throw new InvalidArgumentException(
                "stdio address %s is of no kind that this shim knows: fifo, file, binary, binary-v2"
                        .formatted(address));
    }

    private static URI uri(String address) {
        try {
            return URI.create(address);
        } catch (IllegalArgumentException e) {
            throw new InvalidArgumentException("stdio address %s is no URI".formatted(address), e);
        }
    }

    /** What the process reads. */
    Optional<Path> stdin() {
        return stdin;
    }

    /** What a terminal's output is written to. */
    Optional<Path> stdout() {
        return stdout;
    }

    Runc.Stdio redirects() {
        return new Runc.Stdio(in, out, err);
    }

    /** Lets the process see the end of its input once the client has closed its side. */
    synchronized void closeStdin() throws IOException {
        if (stdinHold != null) {
            stdinHold.close();
            stdinHold = null;
        }
    }

    /** Lets whoever reads the output see its end, once the last process that writes to it is gone. */
    @Override
    public synchronized void close() throws IOException {
        closeStdin();
        for (RandomAccessFile hold : holds) {
            hold.close();
        }
        holds.clear();
        logger.ifPresent(LogBinary::finish);
        logger = Optional.empty();
    }
}
