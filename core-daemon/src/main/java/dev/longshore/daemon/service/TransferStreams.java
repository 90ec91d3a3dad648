package dev.longshore.daemon.service;

import com.google.protobuf.Any;
import com.google.protobuf.UnsafeByteOperations;
import dev.longshore.api.types.transfer.AuthRequest;
import dev.longshore.api.types.transfer.AuthResponse;
import dev.longshore.api.types.transfer.Data;
import dev.longshore.api.types.transfer.WindowUpdate;
import dev.longshore.daemon.transfer.Progress;
import dev.longshore.registry.Credential;
import dev.longshore.registry.Credentials;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.transport.serve.DescriptorProtos;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/** What a transfer reads from and writes to, over streams of its client. */
final class TransferStreams {

    /** Bytes of one message of data. */
    private static final int PIECE = 32 << 10;

    /** Bytes that a sender may be ahead. */
    private static final int WINDOW = 2 * PIECE;

    /** For a client that sends, or takes, nothing. */
    private static final Duration PATIENCE = Duration.ofMinutes(5);

    /** For a person who types a password. */
    private static final Duration CREDENTIALS = Duration.ofMinutes(2);

    private TransferStreams() {}

    /** The bytes that a client sends. */
    static InputStream input(ClientStream stream) {
        return new InputStream() {

            private byte[] piece = new byte[0];
            private int at;
            private long window;

            private boolean fill() throws IOException {
                try {
                    while (at == piece.length) {
                        if (window < WINDOW) {
                            stream.send(
                                    WindowUpdate.newBuilder().setUpdate(WINDOW).build(), PATIENCE);
                            window += WINDOW;
                        }
                        Optional<Any> message = stream.receive(PATIENCE);
                        if (message.isEmpty()) {
                            return false;
                        }
                        piece = ClientStream.unpack(
                                        message.get(), Data.getDescriptor().getFullName(), Data.parser())
                                .getData()
                                .toByteArray();
                        at = 0;
                        window -= piece.length;
                    }
                    return true;
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new InterruptedIOException("the transfer was given up");
                }
            }

            @Override
            public int read() throws IOException {
                return at < piece.length || fill() ? piece[at++] & 0xff : -1;
            }

            @Override
            public int read(byte[] bytes, int offset, int length) throws IOException {
                if (length == 0) {
                    return 0;
                }
                if (at == piece.length && !fill()) {
                    return -1;
                }
                int count = Math.min(length, piece.length - at);
                System.arraycopy(piece, at, bytes, offset, count);
                at += count;
                return count;
            }

            @Override
            public void close() {
                stream.close();
            }
        };
    }

    /** Bytes for a client, as far as it says that it can take them. */
    static OutputStream output(ClientStream stream) {
        return new OutputStream() {

            private long room;

            @Override
            public void write(int one) throws IOException {
                write(new byte[] {(byte) one}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                try {
                    int at = offset;
                    int left = length;
                    while (left > 0) {
                        while (room <= 0) {
                            room += update();
                        }
                        int count = (int) Math.min(Math.min(left, PIECE), room);
                        stream.send(
                                Data.newBuilder()
                                        .setData(UnsafeByteOperations.unsafeWrap(
                                                Arrays.copyOfRange(bytes, at, at + count)))
                                        .build(),
                                PATIENCE);
                        at += count;
                        left -= count;
                        room -= count;
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new InterruptedIOException("the transfer was given up");
                }
            }

            private int update() throws InterruptedException {
                Any message = stream.receive(PATIENCE)
                        .orElseThrow(() ->
                                new CanceledException("the client has left the stream that it wanted an archive in"));
                return ClientStream.unpack(message, WindowUpdate.getDescriptor().getFullName(), WindowUpdate.parser())
                        .getUpdate();
            }

            @Override
            public void close() {
                stream.close();
            }
        };
    }

    /** Asks the client, once for each time that a registry wants credentials. */
    static Credentials credentials(ClientStream stream, String reference) {
        ReentrantLock one = new ReentrantLock();
        return host -> {
            one.lock();
            try {
                stream.send(
                        AuthRequest.newBuilder()
                                .setHost(host)
                                .setReference(reference)
                                .build(),
                        PATIENCE);
                Optional<Any> message = stream.receive(CREDENTIALS);
                if (message.isEmpty()) {
                    return Optional.empty();
                }
                AuthResponse answer = ClientStream.unpack(
                        message.get(), AuthResponse.getDescriptor().getFullName(), AuthResponse.parser());
                return switch (answer.getAuthType()) {
                    case NONE -> Optional.empty();
                    case CREDENTIALS -> Optional.of(new Credential(answer.getUsername(), answer.getSecret()));
                    case REFRESH ->
                        answer.getSecret().isEmpty()
                                ? Optional.empty()
                                : Optional.of(new Credential("", answer.getSecret()));
                    case HEADER, UNRECOGNIZED ->
                        throw new InvalidArgumentException(
                                "the client answers for %s with credentials of the kind %s, which is none that is taken: use a user and a password"
                                        .formatted(host, answer.getAuthType()));
                };
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("the transfer was given up");
            } finally {
                one.unlock();
            }
        };
    }

    /**
     * Tells a client how a transfer gets on. A client that is slow to read misses some of it, and holds nothing up.
     */
    static final class ProgressStream implements Consumer<Progress>, AutoCloseable {

        /** Messages that wait; a few times a second one a layer. */
        private static final int WAITING = 4096;

        private static final Duration LAST = Duration.ofSeconds(5);

        private final ClientStream stream;
        private final BlockingQueue<Optional<Progress>> queue = new ArrayBlockingQueue<>(WAITING);
        private final Thread sender;

        ProgressStream(ClientStream stream) {
            this.stream = stream;
            this.sender = Thread.ofVirtual().name("progress").start(this::send);
        }

        @Override
        public void accept(Progress progress) {
            var _ = queue.offer(Optional.of(progress));
        }

        private void send() {
            try {
                for (Optional<Progress> next = queue.take(); next.isPresent(); next = queue.take()) {
                    stream.send(proto(next.get()), PATIENCE);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (ContainerdException e) {
                queue.clear(); // nobody is there to be told
            } finally {
                stream.close();
            }
        }

        private static dev.longshore.api.types.transfer.Progress proto(Progress progress) {
            dev.longshore.api.types.transfer.Progress.Builder proto =
                    dev.longshore.api.types.transfer.Progress.newBuilder()
                            .setEvent(progress.event())
                            .setName(progress.name())
                            .addAllParents(progress.parents())
                            .setProgress(progress.progress())
                            .setTotal(progress.total());
            progress.descriptor().ifPresent(descriptor -> proto.setDesc(DescriptorProtos.proto(descriptor)));
            return proto.build();
        }

        /** Waits until all is told, for a client that reads. */
        @Override
        public void close() throws InterruptedException {
            if (!queue.offer(Optional.empty()) || !sender.join(LAST)) {
                sender.interrupt();
            }
        }
    }
}
