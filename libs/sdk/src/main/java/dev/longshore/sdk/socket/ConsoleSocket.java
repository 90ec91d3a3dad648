package dev.longshore.sdk.socket;

import java.io.Closeable;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.newsclub.net.unix.AFUNIXServerSocket;
import org.newsclub.net.unix.AFUNIXSocket;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.newsclub.net.unix.FileDescriptorCast;

/**
 * The socket on which runc hands over the controlling side of a container's terminal, as SCM_RIGHTS. Its calls block in native
 * code: for platform threads.
 */
public final class ConsoleSocket implements AutoCloseable {

    private static final int ANCILLARY_BUFFER = 1024;

    private final Path path;
    private final AFUNIXServerSocket listener;

    /**
     * The terminal. It is closed with the connection that it came by.
     *
     * @param number of the descriptor, for system calls
     */
    public record Terminal(FileDescriptor descriptor, int number, Closeable connection) implements Closeable {

        @Override
        public void close() throws IOException {
            connection.close();
        }
    }

    /** Listens at {@code path}, which must not be there. */
    public ConsoleSocket(Path path) throws IOException {
        this.path = path;
        this.listener = AFUNIXServerSocket.newInstance();
        listener.bind(AFUNIXSocketAddress.of(path));
    }

    public Path path() {
        return path;
    }

    /** The terminal that runc sends. */
    public Terminal receive(Duration timeout) throws IOException {
        listener.setSoTimeout((int) timeout.toMillis());
        AFUNIXSocket connection = listener.accept();
        try {
            connection.setAncillaryReceiveBufferSize(ANCILLARY_BUFFER);
            byte[] name = new byte[256];
            if (connection.getInputStream().read(name) < 0) {
                throw new IOException("runc closed " + path + " without sending a terminal");
            }
            FileDescriptor[] received = connection.getReceivedFileDescriptors();
            if (received.length != 1) {
                throw new IOException("runc sent %d descriptors to %s, not one".formatted(received.length, path));
            }
            return new Terminal(
                    received[0], FileDescriptorCast.using(received[0]).as(Integer.class), connection);
        } catch (IOException e) {
            connection.close();
            throw e;
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        Files.deleteIfExists(path);
    }
}
