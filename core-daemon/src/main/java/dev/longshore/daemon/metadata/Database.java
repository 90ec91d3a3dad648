package dev.longshore.daemon.metadata;

import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnavailableException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.BlockingDeque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingDeque;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.sqlite.SQLiteErrorCode;

/**
 * The SQLite file. One thread writes, so that transactions need no retry and no virtual thread is pinned while the disk
 * syncs; reads go on beside it, on connections of their own, and see what was committed when they began.
 *
 * <p>A write has reached the disk when it returns ({@code synchronous=FULL} on a write-ahead log).
 */
final class Database implements AutoCloseable {

    private static final int READERS = 4;

    private final Path file;
    private final Session writer;

    /** The one that was used last comes first: it has what it needs at hand. */
    private final BlockingDeque<Session> readers = new LinkedBlockingDeque<>(READERS);

    private final ExecutorService writing = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().name("metadata-writer").daemon(true).factory());
    private final Consumer<Boolean> onCommit;

    /** Work inside of a transaction. It must not call anything remote. */
    @FunctionalInterface
    interface Work<T> {

        T run(Tx tx) throws SQLException;
    }

    /**
     * Opens the file, making it if there is none.
     *
     * @param onCommit called after every write, with whether it left garbage
     * @throws DataLossException if the file is damaged
     */
    Database(Path file, Consumer<Boolean> onCommit) {
        this.file = file;
        this.onCommit = onCommit;
        try {
            Connection first = connect();
            this.writer = new Session(first);
            try (Statement statement = first.createStatement()) {
                statement.execute("PRAGMA journal_mode=WAL");
            }
            Schema.migrate(first);
            for (int i = 0; i < READERS; i++) {
                Connection reader = connect();
                try (Statement statement = reader.createStatement()) {
                    statement.execute("PRAGMA query_only=ON");
                }
                readers.add(new Session(reader));
            }
        } catch (SQLException e) {
            throw translate(e);
        }
    }

    private Connection connect() throws SQLException {
        Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
        try (Statement statement = connection.createStatement()) {
            statement.execute("PRAGMA synchronous=FULL");
            statement.execute("PRAGMA foreign_keys=ON");
            statement.execute("PRAGMA busy_timeout=5000");
            // 512 KiB: metadata is small, and a node runs many processes.
            statement.execute("PRAGMA cache_size=-512");
        }
        return connection;
    }

    /** Runs {@code work} alone and makes what it wrote durable; what it throws rolls everything back. */
    <T> T write(Work<T> work) {
        Future<T> result = writing.submit(() -> {
            Tx tx = new Tx(writer);
            T value;
            // By hand: the driver loses count of its transactions when SQLite rolls one back by itself.
            writer.execute("BEGIN IMMEDIATE");
            try {
                value = work.run(tx);
                writer.execute("COMMIT");
            } catch (Throwable e) {
                rollback(e);
                throw e;
            }
            onCommit.accept(tx.garbage());
            return value;
        });
        return await(result);
    }

    private void rollback(Throwable cause) {
        try {
            writer.execute("ROLLBACK");
        } catch (SQLException e) {
            cause.addSuppressed(e); // a full disk, for one, has SQLite roll back by itself
        }
    }

    private <T> T await(Future<T> result) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return result.get();
                } catch (InterruptedException e) {
                    interrupted = true; // the outcome must be known: the write may have happened
                } catch (ExecutionException e) {
                    throw translate(e.getCause() == null ? e : e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Runs {@code work} on one consistent state. It cannot write. */
    <T> T read(Work<T> work) {
        Session session = borrow();
        try {
            session.execute("BEGIN");
            try {
                return work.run(new Tx(session));
            } finally {
                session.execute("ROLLBACK");
            }
        } catch (SQLException e) {
            throw translate(e);
        } finally {
            readers.addFirst(session);
        }
    }

    private Session borrow() {
        try {
            Session session = readers.poll(10, TimeUnit.SECONDS);
            if (session == null) {
                throw new UnavailableException("metadata %s is too busy to be read".formatted(file));
            }
            return session;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CanceledException("interrupted while waiting to read the metadata", e);
        }
    }

    private ContainerdException translate(Throwable error) {
        return switch (error) {
            case ContainerdException e -> e;
            case SQLException e -> {
                int code = e.getErrorCode() & 0xff;
                if (code == SQLiteErrorCode.SQLITE_FULL.code) {
                    yield new ResourceExhaustedException("the disk of %s is full: free some space".formatted(file), e);
                }
                if (code == SQLiteErrorCode.SQLITE_CORRUPT.code || code == SQLiteErrorCode.SQLITE_NOTADB.code) {
                    yield new DataLossException(
                            "metadata %s is damaged (%s): stop the daemon and restore it from a backup, or try \"sqlite3 %s .recover\""
                                    .formatted(file, e.getMessage(), file),
                            e);
                }
                yield new InternalException("metadata %s: %s".formatted(file, e.getMessage()), e);
            }
            case RuntimeException e -> throw e;
            default -> new InternalException("metadata %s: %s".formatted(file, error), error);
        };
    }

    @Override
    public void close() {
        writing.close();
        try {
            for (Session reader : readers) {
                reader.close();
            }
            writer.close();
        } catch (SQLException e) {
            throw translate(e);
        }
    }
}
