package dev.longshore.snapshots;

import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Usage;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.UnaryOperator;
import org.sqlite.JDBC;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteErrorCode;

/**
 * What is known of snapshots, in SQLite: a write-ahead log that is synced at each commit, so what a method returned from
 * survives a crash. One connection writes and one reads, each for one thread at a time; no method waits for anything but the
 * disk. Safe for use by many threads.
 */
final class MetaStore implements AutoCloseable {

    /** Rows of one page of {@link #page}. */
    static final int PAGE = 256;

    private static final int SCHEMA_VERSION = 1;

    /** KiB of the page cache of each connection; the whole database of a busy node is smaller. */
    private static final int CACHE_SIZE = 512;

    private static final String SCHEMA = """
            CREATE TABLE snapshots (
              id INTEGER PRIMARY KEY AUTOINCREMENT,
              name TEXT NOT NULL UNIQUE,
              kind TEXT NOT NULL CHECK (kind IN ('VIEW', 'ACTIVE', 'COMMITTED')),
              parent INTEGER REFERENCES snapshots (id) ON DELETE RESTRICT,
              created INTEGER NOT NULL, -- nanoseconds since the epoch
              updated INTEGER NOT NULL,
              inodes INTEGER NOT NULL DEFAULT 0,
              size INTEGER NOT NULL DEFAULT 0 -- bytes
            ) STRICT;
            CREATE INDEX snapshots_parent ON snapshots (parent);
            CREATE TABLE labels (
              snapshot INTEGER NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
              key TEXT NOT NULL,
              value TEXT NOT NULL,
              PRIMARY KEY (snapshot, key)
            ) STRICT, WITHOUT ROWID;
            """;

    private static final String SELECT = """
            SELECT s.id, s.name, s.kind, p.name, s.created, s.updated, s.inodes, s.size, s.parent
            FROM snapshots s LEFT JOIN snapshots p ON p.id = s.parent
            """;

    private final Session writer;
    private final Session reader;
    private final ReentrantLock writing = new ReentrantLock();
    private final ReentrantLock reading = new ReentrantLock();

    private MetaStore(Session writer, Session reader) {
        this.writer = writer;
        this.reader = reader;
    }

    /**
     * A snapshot as it is stored.
     *
     * @param id never used again for another
     * @param usage of a committed snapshot; zero for others
     */
    record Row(long id, SnapshotInfo info, Usage usage) {}

    /**
     * A snapshot with all that is below it.
     *
     * @param parents ids, the nearest first
     */
    record Chain(Row row, List<Long> parents) {

        Chain {
            parents = List.copyOf(parents);
        }
    }

    /**
     * Opens the database, and makes it if it is not there.
     *
     * @throws FailedPreconditionException if a newer version of this program wrote it
     */
    static MetaStore open(Path file) {
        try {
            Connection writer = connect(file);
            try {
                migrate(writer, file);
                return new MetaStore(new Session(writer), new Session(connect(file)));
            } catch (SQLException | RuntimeException e) {
                writer.close();
                throw e;
            }
        } catch (SQLException e) {
            throw classify("opening " + file, e);
        }
    }

    private static Connection connect(Path file) throws SQLException {
        SQLiteConfig config = new SQLiteConfig();
        config.setJournalMode(SQLiteConfig.JournalMode.WAL);
        config.setSynchronous(SQLiteConfig.SynchronousMode.FULL);
        config.enforceForeignKeys(true);
        config.setCacheSize(-CACHE_SIZE);
        config.setBusyTimeout(5_000);
        // Not through DriverManager, which looks through the whole class path for drivers.
        return JDBC.createConnection(JDBC.PREFIX + file, config.toProperties());
    }

    private static void migrate(Connection connection, Path file) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            int version;
            try (ResultSet row = statement.executeQuery("PRAGMA user_version")) {
                row.next();
                version = row.getInt(1);
            }
            if (version > SCHEMA_VERSION) {
                throw new FailedPreconditionException(
                        "%s has version %d of the schema, this program knows %d: it was written by a newer Longshore"
                                .formatted(file, version, SCHEMA_VERSION));
            }
            if (version == 0) {
                statement.executeUpdate(
                        "BEGIN IMMEDIATE;" + SCHEMA + "PRAGMA user_version = " + SCHEMA_VERSION + ";COMMIT");
            }
        }
    }

    /** @throws NotFoundException if there is none of that key or name */
    Row get(String key) {
        return read("reading snapshot " + key, session -> require(session, key));
    }

    Optional<Row> find(String key) {
        return read("reading snapshot " + key, session -> select(session, key));
    }

    /**
     * The snapshot with what is below it.
     *
     * @throws NotFoundException if there is none of that key or name
     */
    Chain chain(String key) {
        return read("reading snapshot " + key, session -> {
            Row row = require(session, key);
            List<Long> parents = new ArrayList<>();
            PreparedStatement statement = session.statement("""
                    WITH RECURSIVE chain (id, depth) AS (
                      SELECT parent, 0 FROM snapshots WHERE id = ?
                      UNION ALL
                      SELECT s.parent, depth + 1 FROM snapshots s JOIN chain ON s.id = chain.id)
                    SELECT id FROM chain WHERE id IS NOT NULL ORDER BY depth
                    """);
            statement.setLong(1, row.id());
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    parents.add(rows.getLong(1));
                }
            }
            return new Chain(row, parents);
        });
    }

    /**
     * Adds an active snapshot or a view.
     *
     * @throws AlreadyExistsException if the key is taken
     * @throws NotFoundException if there is no such parent
     * @throws InvalidArgumentException if the parent is not committed
     */
    void create(long id, SnapshotInfo info) {
        write("storing snapshot " + info.name(), session -> {
            Optional<Row> parent = info.parent().isEmpty()
                    ? Optional.empty()
                    : Optional.of(committed(session, info.parent(), info.name()));
            refuseTaken(session, info.name());
            PreparedStatement statement = session.statement(
                    "INSERT INTO snapshots (id, name, kind, parent, created, updated) VALUES (?, ?, ?, ?, ?, ?)");
            statement.setLong(1, id);
            statement.setString(2, info.name());
            statement.setString(3, info.kind().name());
            if (parent.isPresent()) {
                statement.setLong(4, parent.get().id());
            }
            statement.setLong(5, nanos(info.created()));
            statement.setLong(6, nanos(info.updated()));
            statement.executeUpdate();
            insertLabels(session, id, info.labels());
            return id;
        });
    }

    private static Row committed(Session session, String parent, String key) throws SQLException {
        Row row = select(session, parent)
                .orElseThrow(() -> new NotFoundException("parent %s of snapshot %s".formatted(parent, key)));
        if (row.info().kind() != Kind.COMMITTED) {
            throw new InvalidArgumentException("parent %s of snapshot %s is not a committed snapshot but %s"
                    .formatted(parent, key, row.info().kind()));
        }
        return row;
    }

    private static void refuseTaken(Session session, String name) throws SQLException {
        Optional<Row> taken = select(session, name);
        if (taken.isPresent()) {
            throw new AlreadyExistsException("snapshot " + name);
        }
    }

    /**
     * Makes a committed snapshot of the active one {@code key}; its labels are replaced.
     *
     * @param parent for a snapshot that has none yet
     * @throws AlreadyExistsException if the name is taken
     * @throws NotFoundException if there is no snapshot {@code key}, or no such parent
     * @throws FailedPreconditionException if the snapshot is not active, or the parent not committed
     * @throws InvalidArgumentException if the snapshot has another parent already
     */
    void commit(
            String name, String key, Optional<String> parent, Map<String, String> labels, Usage usage, Instant now) {
        write("committing snapshot " + key, session -> {
            refuseTaken(session, name);
            Row row = requireActive(session, key);
            String current = row.info().parent();
            if (parent.isPresent() && !current.isEmpty() && !current.equals(parent.get())) {
                throw new InvalidArgumentException("snapshot %s was prepared on parent %s and cannot be committed on %s"
                        .formatted(key, current, parent.get()));
            }
            if (parent.isPresent() && current.isEmpty()) {
                rebase(session, row.id(), key, parent.get());
            }
            PreparedStatement statement = session.statement(
                    "UPDATE snapshots SET name = ?, kind = 'COMMITTED', created = ?, updated = ?, inodes = ?, size = ? WHERE id = ?");
            statement.setString(1, name);
            statement.setLong(2, nanos(now));
            statement.setLong(3, nanos(now));
            statement.setLong(4, usage.inodes());
            statement.setLong(5, usage.size());
            statement.setLong(6, row.id());
            statement.executeUpdate();
            replaceLabels(session, row.id(), labels);
            return row.id();
        });
    }

    private static void rebase(Session session, long id, String key, String parent) throws SQLException {
        Row row = select(session, parent)
                .orElseThrow(() -> new NotFoundException("parent %s of snapshot %s".formatted(parent, key)));
        if (row.info().kind() != Kind.COMMITTED) {
            throw new FailedPreconditionException("parent %s of snapshot %s is not committed".formatted(parent, key));
        }
        PreparedStatement statement = session.statement("UPDATE snapshots SET parent = ? WHERE id = ?");
        statement.setLong(1, row.id());
        statement.setLong(2, id);
        statement.executeUpdate();
    }

    /** The active snapshot {@code key}, for a look before {@link #commit}. */
    Row active(String key) {
        return read("reading snapshot " + key, session -> requireActive(session, key));
    }

    private static Row requireActive(Session session, String key) throws SQLException {
        Row row = require(session, key);
        if (row.info().kind() != Kind.ACTIVE) {
            throw new FailedPreconditionException(
                    "snapshot %s is not active but %s".formatted(key, row.info().kind()));
        }
        return row;
    }

    /**
     * Forgets a snapshot.
     *
     * @return its id
     * @throws NotFoundException if there is none of that key or name
     * @throws FailedPreconditionException if it is the parent of another
     */
    long remove(String key) {
        return write("removing snapshot " + key, session -> {
            Row row = require(session, key);
            PreparedStatement children = session.statement("SELECT name FROM snapshots WHERE parent = ? LIMIT 1");
            children.setLong(1, row.id());
            try (ResultSet child = children.executeQuery()) {
                if (child.next()) {
                    throw new FailedPreconditionException(
                            "cannot remove snapshot %s: it has a child, %s".formatted(key, child.getString(1)));
                }
            }
            PreparedStatement statement = session.statement("DELETE FROM snapshots WHERE id = ?");
            statement.setLong(1, row.id());
            statement.executeUpdate();
            return row.id();
        });
    }

    /**
     * Changes labels.
     *
     * @param change gets the labels that are there; labels without a value go
     * @throws NotFoundException if there is none of that key or name
     */
    Row relabel(String key, UnaryOperator<Map<String, String>> change, Instant now) {
        return write("updating snapshot " + key, session -> {
            Row row = require(session, key);
            replaceLabels(session, row.id(), change.apply(row.info().labels()));
            PreparedStatement statement = session.statement("UPDATE snapshots SET updated = ? WHERE id = ?");
            statement.setLong(1, nanos(now));
            statement.setLong(2, row.id());
            statement.executeUpdate();
            return require(session, key);
        });
    }

    /**
     * Snapshots in the order of their ids, {@link #PAGE} at a time, so that a long list holds nothing while it is sent.
     *
     * @param after the id of the last one of the page before; 0 for the first page
     */
    List<Row> page(long after) {
        return read("listing snapshots", session -> {
            Map<Long, Map<String, String>> labels = new HashMap<>();
            PreparedStatement labeled = session.statement("""
                    SELECT snapshot, key, value FROM labels WHERE snapshot IN
                      (SELECT id FROM snapshots WHERE id > ? ORDER BY id LIMIT ?)
                    """);
            labeled.setLong(1, after);
            labeled.setInt(2, PAGE);
            try (ResultSet rows = labeled.executeQuery()) {
                while (rows.next()) {
                    labels.computeIfAbsent(rows.getLong(1), id -> new HashMap<>())
                            .put(rows.getString(2), rows.getString(3));
                }
            }
            List<Row> page = new ArrayList<>();
            PreparedStatement statement = session.statement(SELECT + "WHERE s.id > ? ORDER BY s.id LIMIT ?");
            statement.setLong(1, after);
            statement.setInt(2, PAGE);
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    page.add(row(rows, labels.getOrDefault(rows.getLong(1), Map.of())));
                }
            }
            return page;
        });
    }

    /** Ids of all snapshots. */
    Set<Long> ids() {
        return read("listing snapshots", session -> {
            Set<Long> ids = new HashSet<>();
            try (ResultSet rows = session.statement("SELECT id FROM snapshots").executeQuery()) {
                while (rows.next()) {
                    ids.add(rows.getLong(1));
                }
            }
            return ids;
        });
    }

    /** The highest id that any snapshot ever had; 0 if there was none. */
    long highestId() {
        return read("reading the highest id", session -> {
            try (ResultSet row = session.statement("SELECT seq FROM sqlite_sequence WHERE name = 'snapshots'")
                    .executeQuery()) {
                return row.next() ? row.getLong(1) : 0L;
            }
        });
    }

    private static Row require(Session session, String key) throws SQLException {
        return select(session, key).orElseThrow(() -> new NotFoundException("snapshot " + key));
    }

    private static Optional<Row> select(Session session, String key) throws SQLException {
        PreparedStatement statement = session.statement(SELECT + "WHERE s.name = ?");
        statement.setString(1, key);
        try (ResultSet rows = statement.executeQuery()) {
            return rows.next() ? Optional.of(row(rows, labels(session, rows.getLong(1)))) : Optional.empty();
        }
    }

    private static Row row(ResultSet rows, Map<String, String> labels) throws SQLException {
        String parent = rows.getString(4);
        return new Row(
                rows.getLong(1),
                new SnapshotInfo(
                        Kind.valueOf(rows.getString(3)),
                        rows.getString(2),
                        parent == null ? "" : parent,
                        labels,
                        instant(rows.getLong(5)),
                        instant(rows.getLong(6))),
                new Usage(rows.getLong(7), rows.getLong(8)));
    }

    private static Map<String, String> labels(Session session, long id) throws SQLException {
        PreparedStatement statement = session.statement("SELECT key, value FROM labels WHERE snapshot = ?");
        statement.setLong(1, id);
        Map<String, String> labels = new HashMap<>();
        try (ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                labels.put(rows.getString(1), rows.getString(2));
            }
        }
        return labels;
    }

    private static void replaceLabels(Session session, long id, Map<String, String> labels) throws SQLException {
        PreparedStatement statement = session.statement("DELETE FROM labels WHERE snapshot = ?");
        statement.setLong(1, id);
        statement.executeUpdate();
        insertLabels(session, id, labels);
    }

    private static void insertLabels(Session session, long id, Map<String, String> labels) throws SQLException {
        PreparedStatement statement = session.statement("INSERT INTO labels (snapshot, key, value) VALUES (?, ?, ?)");
        for (Map.Entry<String, String> label : labels.entrySet()) {
            if (!label.getValue().isEmpty()) {
                statement.setLong(1, id);
                statement.setString(2, label.getKey());
                statement.setString(3, label.getValue());
                statement.executeUpdate();
            }
        }
    }

    private static long nanos(Instant instant) {
        return Math.addExact(Math.multiplyExact(instant.getEpochSecond(), 1_000_000_000L), instant.getNano());
    }

    private static Instant instant(long nanos) {
        return Instant.ofEpochSecond(Math.floorDiv(nanos, 1_000_000_000L), Math.floorMod(nanos, 1_000_000_000L));
    }

    @FunctionalInterface
    private interface Work<T> {
        T run(Session session) throws SQLException;
    }

    private <T> T read(String what, Work<T> work) {
        reading.lock();
        try {
            return work.run(reader);
        } catch (SQLException e) {
            reader.forget(e);
            throw classify(what, e);
        } finally {
            reading.unlock();
        }
    }

    private <T> T write(String what, Work<T> work) {
        writing.lock();
        try {
            writer.execute("BEGIN IMMEDIATE");
            try {
                T result = work.run(writer);
                writer.execute("COMMIT");
                return result;
            } catch (SQLException | RuntimeException e) {
                try {
                    writer.execute("ROLLBACK");
                } catch (SQLException rollback) {
                    // SQLite has rolled back by itself after some errors.
                    e.addSuppressed(rollback);
                }
                throw e;
            }
        } catch (SQLException e) {
            writer.forget(e);
            throw classify(what, e);
        } finally {
            writing.unlock();
        }
    }

    private static ContainerdException classify(String what, SQLException e) {
        int primary = e.getErrorCode() & 0xff;
        String message = what + ": " + e.getMessage();
        if (primary == SQLiteErrorCode.SQLITE_FULL.code) {
            return new ResourceExhaustedException(message + ": free some disk space", e);
        }
        if (primary == SQLiteErrorCode.SQLITE_CORRUPT.code || primary == SQLiteErrorCode.SQLITE_NOTADB.code) {
            return new DataLossException(message, e);
        }
        if (primary == SQLiteErrorCode.SQLITE_BUSY.code) {
            return new UnavailableException(message, e);
        }
        return new InternalException(message, e);
    }

    /** May be called twice. */
    @Override
    public void close() {
        writing.lock();
        reading.lock();
        try {
            reader.close();
            writer.close();
        } catch (SQLException e) {
            throw classify("closing the metadata", e);
        } finally {
            reading.unlock();
            writing.unlock();
        }
    }

    /**
     * A connection, and the statements that were prepared on it: to parse one takes longer than most of them run. For one thread at a
     * time.
     */
    private static final class Session implements AutoCloseable {

        private final Connection connection;

        /** By their SQL: what this file has, and no more. */
        private final Map<String, PreparedStatement> statements = new HashMap<>();

        Session(Connection connection) {
            this.connection = connection;
        }

        /** The statement, without arguments. It is ready for another use when its rows are closed. */
        PreparedStatement statement(String sql) throws SQLException {
            PreparedStatement statement = statements.get(sql);
            if (statement == null) {
                statement = connection.prepareStatement(sql);
                statements.put(sql, statement);
            }
            statement.clearParameters();
            return statement;
        }

        /** Runs a statement that has no arguments and answers nothing. */
        void execute(String sql) throws SQLException {
            statement(sql).execute();
        }

        /** After an error, of which a statement may have kept something. */
        void forget(SQLException cause) {
            for (PreparedStatement statement : statements.values()) {
                try {
                    statement.close();
                } catch (SQLException e) {
                    cause.addSuppressed(e);
                }
            }
            statements.clear();
        }

        @Override
        public void close() throws SQLException {
            connection.close();
        }
    }
}
