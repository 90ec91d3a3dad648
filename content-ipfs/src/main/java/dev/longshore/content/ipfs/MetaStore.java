package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.Pack.Part;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.Codec;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.errors.UnavailableException;
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
import org.sqlite.JDBC;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteErrorCode;

/**
 * Which blob has which CID, and which block lies where, in SQLite. A blob that was added may be forgotten in a power cut, not when
 * the process is killed: its pack, which is on the disk before, tells of it again. What has no pack to tell of it, that a blob was
 * declared or deleted, is on the disk when the method returns. Safe for use by many threads; one process at a time has it open.
 */
final class MetaStore implements AutoCloseable {

    /** Rows of one page of {@link #page}. */
    static final int PAGE = 256;

    private static final int SCHEMA_VERSION = 1;

    /** KiB of the page cache. */
    private static final int CACHE_SIZE = 4096;

    private static final String SCHEMA = """
            CREATE TABLE blob (
              id INTEGER PRIMARY KEY, -- the number of its pack too
              digest TEXT NOT NULL,
              cid BLOB NOT NULL,
              size INTEGER NOT NULL,
              created INTEGER NOT NULL, -- nanoseconds since the epoch
              here INTEGER NOT NULL, -- 0 as long as only its CID is known
              deleted INTEGER NOT NULL DEFAULT 0 -- still read by somebody
            ) STRICT;
            CREATE UNIQUE INDEX blob_digest ON blob (digest) WHERE deleted = 0;
            CREATE TABLE block ( -- but of blobs that are one block
              id INTEGER PRIMARY KEY AUTOINCREMENT,
              cid BLOB NOT NULL UNIQUE,
              pack INTEGER NOT NULL,
              position INTEGER NOT NULL, -- bytes in the pack
              length INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX block_pack ON block (pack);
            CREATE TABLE part (
              blob INTEGER NOT NULL,
              number INTEGER NOT NULL, -- of the leaves in their order, then of the nodes
              start INTEGER NOT NULL, -- offset of a leaf in the blob; -1 of nodes
              block INTEGER NOT NULL,
              PRIMARY KEY (blob, number)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX part_block ON part (block);
            """;

    private static final String BLOB = "SELECT id, digest, cid, size, created, here FROM blob ";

    private final Connection connection;
    private final ReentrantLock lock = new ReentrantLock();

    /** By their SQL: what this file has, and no more. */
    private final Map<String, PreparedStatement> statements = new HashMap<>();

    /**
     * A blob.
     *
     * @param id the number of its pack too
     * @param here whether its bytes are
     */
    record Blob(long id, Digest digest, Cid cid, long size, Instant created, boolean here) {

        /** Whether it is one block, of which it need not be told where it is. */
        boolean isSole() {
            return isSole(digest, cid);
        }

        static boolean isSole(Digest digest, Cid cid) {
            return cid.codec() == Codec.RAW
                    && cid.digest().filter(digest::equals).isPresent();
        }

        /** Where its block is, if it is one. */
        Place place() {
            return new Place(-id, cid, id, 0, (int) size);
        }
    }

    /**
     * Where a block is.
     *
     * @param block its id; of a blob that is one block, that of the blob, below zero
     */
    record Place(long block, Cid cid, long pack, long position, int length) {}

    /**
     * What became of the blocks of a pack.
     *
     * @param elsewhere those that are in another place already
     * @param fresh ids of the others
     */
    record Added(List<Part> elsewhere, List<Long> fresh) {

        Added {
            elsewhere = List.copyOf(elsewhere);
            fresh = List.copyOf(fresh);
        }
    }

    /** A leaf of a blob. */
    record Extent(long start, Place place) {}

    /**
     * What nobody needs without a blob.
     *
     * @param blocks ids of all blocks that go
     * @param places those of them that are in packs with others
     * @param packs of which nothing is needed
     */
    record Freed(List<Long> blocks, List<Place> places, Set<Long> packs) {

        Freed {
            blocks = List.copyOf(blocks);
            places = List.copyOf(places);
            packs = Set.copyOf(packs);
        }
    }

    private MetaStore(Connection connection) {
        this.connection = connection;
    }

    /**
     * Opens the database, and makes it if it is not there.
     *
     * @throws DataLossException if it is damaged
     * @throws FailedPreconditionException if another process has it open, or a newer version of this program wrote it
     */
    static MetaStore open(Path file) {
        SQLiteConfig config = new SQLiteConfig();
        config.setJournalMode(SQLiteConfig.JournalMode.WAL);
        config.setLockingMode(SQLiteConfig.LockingMode.EXCLUSIVE);
        config.setSynchronous(SQLiteConfig.SynchronousMode.NORMAL);
        config.setCacheSize(-CACHE_SIZE);
        config.setBusyTimeout(0);
        try {
            // Not through DriverManager, which looks through the whole class path for drivers.
            Connection connection = JDBC.createConnection(JDBC.PREFIX + file, config.toProperties());
            try {
                check(connection, file);
                migrate(connection, file);
                return new MetaStore(connection);
            } catch (SQLException | RuntimeException e) {
                connection.close();
                throw e;
            }
        } catch (SQLException e) {
            if ((e.getErrorCode() & 0xff) == SQLiteErrorCode.SQLITE_BUSY.code) {
                throw new FailedPreconditionException(
                        "%s is in use by another process: one at a time can use a folder".formatted(file), e);
            }
            throw classify("opening " + file, e);
        }
    }

    private static void check(Connection connection, Path file) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("PRAGMA quick_check(1)")) {
            row.next();
            if (!"ok".equals(row.getString(1))) {
                throw new DataLossException("%s is damaged: %s".formatted(file, row.getString(1)));
            }
        }
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

    Optional<Blob> find(Digest digest) {
        return read("reading " + digest, () -> {
            PreparedStatement statement = statement(BLOB + "WHERE digest = ? AND deleted = 0");
            statement.setString(1, digest.toString());
            return first(statement);
        });
    }

    /** The next blobs in the order of their ids, at most {@link #PAGE}. */
    List<Blob> page(long afterId) {
        return read("listing blobs", () -> {
            PreparedStatement statement = statement(BLOB + "WHERE id > ? AND deleted = 0 ORDER BY id LIMIT " + PAGE);
            statement.setLong(1, afterId);
            return blobs(statement);
        });
    }

    /** Those that were deleted while somebody read them. */
    List<Blob> deleted() {
        return read("listing deleted blobs", () -> blobs(statement(BLOB + "WHERE deleted = 1")));
    }

    Optional<Place> place(Cid cid) {
        return read("reading block " + cid, () -> {
            PreparedStatement statement = statement("SELECT id, cid, pack, position, length FROM block WHERE cid = ?");
            statement.setBytes(1, cid.bytes());
            try (ResultSet row = statement.executeQuery()) {
                if (row.next()) {
                    return Optional.of(place(row));
                }
            }
            Optional<Digest> digest = cid.digest();
            return digest.isEmpty()
                    ? Optional.<Place>empty()
                    : findInside(digest.get())
                            .filter(blob -> blob.here() && blob.isSole())
                            .map(Blob::place);
        });
    }

    private static Place place(ResultSet row) throws SQLException {
        return new Place(row.getLong(1), Cid.decode(row.getBytes(2)), row.getLong(3), row.getLong(4), row.getInt(5));
    }

    /** The leaves of a blob in their order. A block that was lost is missing. */
    List<Extent> extents(long blob) {
        return read("reading the leaves of a blob", () -> {
            PreparedStatement statement = statement("""
                    SELECT b.id, b.cid, b.pack, b.position, b.length, p.start
                    FROM part p JOIN block b ON b.id = p.block
                    WHERE p.blob = ? AND p.start >= 0 ORDER BY p.number""");
            statement.setLong(1, blob);
            List<Extent> extents = new ArrayList<>();
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    extents.add(new Extent(row.getLong(6), place(row)));
                }
            }
            return extents;
        });
    }

    /** All packs that something is in. */
    Set<Long> packs() {
        return read("listing packs", () -> {
            Set<Long> packs = new HashSet<>();
            try (ResultSet row = statement("SELECT pack FROM block UNION SELECT id FROM blob WHERE here = 1")
                    .executeQuery()) {
                while (row.next()) {
                    packs.add(row.getLong(1));
                }
            }
            return packs;
        });
    }

    /**
     * Adds a blob whose bytes are in {@code pack}, or fills one up that was declared.
     *
     * @param parts of the pack that are there
     * @return which of the blocks are there already, and the ids of the others
     * @throws AlreadyExistsException if the blob and its bytes are there already
     */
    Added add(long number, Pack pack, List<Part> parts) {
        return write("storing " + pack.digest(), () -> {
            Optional<Blob> existing = findInside(pack.digest());
            if (existing.isPresent()) {
                if (existing.get().here()) {
                    throw new AlreadyExistsException("content %s".formatted(pack.digest()));
                }
                run("DELETE FROM blob WHERE id = ?", existing.get().id());
            }
            insert(number, pack.digest(), pack.root(), pack.size(), pack.created(), true);
            return Blob.isSole(pack.digest(), pack.root())
                    ? new Added(List.of(), List.of(-number))
                    : addParts(number, parts);
        });
    }

    private Optional<Blob> findInside(Digest digest) throws SQLException {
        PreparedStatement statement = statement(BLOB + "WHERE digest = ? AND deleted = 0");
        statement.setString(1, digest.toString());
        return first(statement);
    }

    private void insert(long id, Digest digest, Cid cid, long size, Instant created, boolean here) throws SQLException {
        PreparedStatement statement =
                statement("INSERT INTO blob (id, digest, cid, size, created, here) VALUES (?, ?, ?, ?, ?, ?)");
        statement.setLong(1, id);
        statement.setString(2, digest.toString());
        statement.setBytes(3, cid.bytes());
        statement.setLong(4, size);
        statement.setLong(5, created.getEpochSecond() * 1_000_000_000L + created.getNano());
        statement.setBoolean(6, here);
        statement.executeUpdate();
    }

    private Added addParts(long pack, List<Part> parts) throws SQLException {
        List<Part> elsewhere = new ArrayList<>();
        List<Long> fresh = new ArrayList<>();
        for (int i = 0; i < parts.size(); i++) {
            Part part = parts.get(i);
            PreparedStatement find = statement("SELECT id FROM block WHERE cid = ?");
            find.setBytes(1, part.cid().bytes());
            Optional<Long> found;
            try (ResultSet row = find.executeQuery()) {
                found = row.next() ? Optional.of(row.getLong(1)) : Optional.empty();
            }
            long block;
            if (found.isPresent()) {
                block = found.get();
                elsewhere.add(part);
            } else {
                block = insertBlock(pack, part);
                fresh.add(block);
            }
            PreparedStatement link = statement("INSERT INTO part (blob, number, start, block) VALUES (?, ?, ?, ?)");
            link.setLong(1, pack);
            link.setInt(2, i);
            link.setLong(3, part.leaf() ? part.offset() : -1);
            link.setLong(4, block);
            link.executeUpdate();
        }
        return new Added(elsewhere, fresh);
    }

    private long insertBlock(long pack, Part part) throws SQLException {
        PreparedStatement insert =
                statement("INSERT INTO block (cid, pack, position, length) VALUES (?, ?, ?, ?) RETURNING id");
        insert.setBytes(1, part.cid().bytes());
        insert.setLong(2, pack);
        insert.setLong(3, part.offset());
        insert.setInt(4, part.length());
        return id(insert);
    }

    private static long id(PreparedStatement insert) throws SQLException {
        try (ResultSet row = insert.executeQuery()) {
            row.next();
            return row.getLong(1);
        }
    }

    /** Adds a block that belongs to no blob yet, unless it is there: for {@link #add} of another pack to find it. */
    void addBlock(long pack, Part part) {
        boolean _ = write("storing block " + part.cid(), () -> {
            PreparedStatement insert =
                    statement("INSERT OR IGNORE INTO block (cid, pack, position, length) VALUES (?, ?, ?, ?)");
            insert.setBytes(1, part.cid().bytes());
            insert.setLong(2, pack);
            insert.setLong(3, part.offset());
            insert.setInt(4, part.length());
            return insert.executeUpdate() > 0;
        });
    }

    /**
     * Adds a blob whose bytes are not here.
     *
     * @throws AlreadyExistsException if it is known
     */
    void declare(long id, Digest digest, Cid cid, long size, Instant now) {
        boolean _ = durably(() -> write("storing the CID of " + digest, () -> {
            if (findInside(digest).isPresent()) {
                throw new AlreadyExistsException("content %s".formatted(digest));
            }
            insert(id, digest, cid, size, now, false);
            return true;
        }));
    }

    /** Hides a blob until {@link #purge}. */
    void hide(long blob) {
        boolean _ = durably(() -> write("deleting a blob", () -> {
            PreparedStatement statement = statement("UPDATE blob SET deleted = 1 WHERE id = ?");
            statement.setLong(1, blob);
            return statement.executeUpdate() > 0;
        }));
    }

    /** What can be freed with a blob. Nothing may be added until {@link #purge}. */
    Freed freed(long blob) {
        return read("reading what a blob has", () -> {
            PreparedStatement select = statement("""
                    SELECT DISTINCT b.id, b.cid, b.pack, b.position, b.length
                    FROM part p JOIN block b ON b.id = p.block WHERE p.blob = ?1
                    AND NOT EXISTS (SELECT 1 FROM part o WHERE o.block = b.id AND o.blob <> ?1)""");
            select.setLong(1, blob);
            List<Place> places = new ArrayList<>();
            try (ResultSet row = select.executeQuery()) {
                while (row.next()) {
                    places.add(place(row));
                }
            }
            Map<Long, Integer> counts = new HashMap<>();
            places.forEach(place -> counts.merge(place.pack(), 1, Integer::sum));
            counts.putIfAbsent(blob, 0);
            Set<Long> unused = new HashSet<>();
            for (var pack : counts.entrySet()) {
                if (!isUsed(pack.getKey(), blob, pack.getValue())) {
                    unused.add(pack.getKey());
                }
            }
            List<Place> rest = places.stream()
                    .filter(place -> !unused.contains(place.pack()))
                    .toList();
            return new Freed(places.stream().map(Place::block).toList(), rest, unused);
        });
    }

    /** Whether a pack is of another blob, or has more blocks than those that are freed. */
    private boolean isUsed(long pack, long blob, int freed) throws SQLException {
        PreparedStatement statement = statement("""
                SELECT EXISTS (SELECT 1 FROM blob WHERE id = ?1 AND id <> ?2)
                OR (SELECT count(*) FROM block WHERE pack = ?1) > ?3""");
        statement.setLong(1, pack);
        statement.setLong(2, blob);
        statement.setInt(3, freed);
        try (ResultSet row = statement.executeQuery()) {
            row.next();
            return row.getBoolean(1);
        }
    }

    /** Forgets a blob, and the blocks that no other has, which are gone. */
    void purge(long blob, Freed freed) {
        int _ = write("deleting a blob", () -> {
            run("DELETE FROM part WHERE blob = ?", blob);
            run("DELETE FROM blob WHERE id = ?", blob);
            for (long block : freed.blocks()) {
                run("DELETE FROM block WHERE id = ?", block);
            }
            return freed.blocks().size();
        });
    }

    private void run(String sql, long argument) throws SQLException {
        PreparedStatement statement = statement(sql);
        statement.setLong(1, argument);
        statement.executeUpdate();
    }

    /** Forgets blocks that no blob has. */
    void dropOrphans() {
        int _ = write(
                "dropping blocks",
                () -> statement("DELETE FROM block WHERE NOT EXISTS (SELECT 1 FROM part WHERE block = block.id)")
                        .executeUpdate());
    }

    /**
     * Forgets a pack that is gone. Blobs with blocks in it are as good as declared afterwards.
     *
     * @return the blobs that have lost something
     */
    List<Blob> dropPack(long pack) {
        return write("dropping pack " + pack, () -> {
            PreparedStatement select = statement(BLOB + """
                    WHERE id = ?1
                    OR id IN (SELECT p.blob FROM part p JOIN block b ON b.id = p.block WHERE b.pack = ?1)""");
            select.setLong(1, pack);
            List<Blob> blobs = blobs(select);
            for (Blob blob : blobs) {
                run("UPDATE blob SET here = 0 WHERE id = ?", blob.id());
                run("DELETE FROM part WHERE blob = ?", blob.id());
            }
            run("DELETE FROM block WHERE pack = ?", pack);
            return blobs;
        });
    }

    private static Optional<Blob> first(PreparedStatement statement) throws SQLException {
        List<Blob> blobs = blobs(statement);
        return blobs.isEmpty() ? Optional.empty() : Optional.of(blobs.getFirst());
    }

    private static List<Blob> blobs(PreparedStatement statement) throws SQLException {
        List<Blob> blobs = new ArrayList<>();
        try (ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                blobs.add(new Blob(
                        row.getLong(1),
                        Digest.parse(row.getString(2)),
                        Cid.decode(row.getBytes(3)),
                        row.getLong(4),
                        Instant.ofEpochSecond(0, row.getLong(5)),
                        row.getBoolean(6)));
            }
        }
        return blobs;
    }

    private interface Work<T> {
        T run() throws SQLException;
    }

    private <T> T read(String what, Work<T> work) {
        lock.lock();
        try {
            return work.run();
        } catch (SQLException e) {
            forget(e);
            throw classify(what, e);
        } finally {
            lock.unlock();
        }
    }

    private <T> T write(String what, Work<T> work) {
        lock.lock();
        try {
            statement("BEGIN IMMEDIATE").execute();
            try {
                T result = work.run();
                statement("COMMIT").execute();
                return result;
            } catch (SQLException | RuntimeException e) {
                try {
                    statement("ROLLBACK").execute();
                } catch (SQLException rollback) {
                    // SQLite has rolled back by itself after some errors.
                    e.addSuppressed(rollback);
                }
                throw e;
            }
        } catch (SQLException e) {
            forget(e);
            throw classify(what, e);
        } finally {
            lock.unlock();
        }
    }

    private interface Step<T> {
        T run();
    }

    /** Syncs the log at the end of the step, and with it all that was written before. */
    private <T> T durably(Step<T> step) {
        lock.lock();
        try {
            pragma("FULL");
            try {
                return step.run();
            } finally {
                pragma("NORMAL");
            }
        } finally {
            lock.unlock();
        }
    }

    private void pragma(String synchronous) {
        try (Statement statement = connection.createStatement()) {
            statement.execute("PRAGMA synchronous = " + synchronous);
        } catch (SQLException e) {
            throw classify("setting the map's durability", e);
        }
    }

    /** The statement, without arguments. It is ready for another use when its rows are closed. */
    private PreparedStatement statement(String sql) throws SQLException {
        PreparedStatement statement = statements.get(sql);
        if (statement == null) {
            statement = connection.prepareStatement(sql);
            statements.put(sql, statement);
        }
        statement.clearParameters();
        return statement;
    }

    /** After an error, of which a statement may have kept something. */
    private void forget(SQLException cause) {
        for (PreparedStatement statement : statements.values()) {
            try {
                statement.close();
            } catch (SQLException e) {
                cause.addSuppressed(e);
            }
        }
        statements.clear();
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
        lock.lock();
        try {
            connection.close();
        } catch (SQLException e) {
            throw classify("closing the map", e);
        } finally {
            lock.unlock();
        }
    }
}
