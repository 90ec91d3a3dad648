package dev.longshore.daemon.metadata;

import dev.longshore.sdk.errors.FailedPreconditionException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;

/** The tables, and the steps from one version of them to the next. */
final class Schema {

    /** The step at index n leads from version n to n + 1. A step that was released is never changed. */
    private static final List<String> STEPS = List.of("""
            CREATE TABLE sequence (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
            CREATE TABLE namespace (name TEXT PRIMARY KEY, labels TEXT NOT NULL) WITHOUT ROWID;
            CREATE TABLE lease (
                namespace TEXT NOT NULL REFERENCES namespace,
                id TEXT NOT NULL,
                created TEXT NOT NULL,
                labels TEXT NOT NULL,
                PRIMARY KEY (namespace, id)) WITHOUT ROWID;
            CREATE TABLE lease_resource (
                namespace TEXT NOT NULL,
                lease TEXT NOT NULL,
                type TEXT NOT NULL,
                id TEXT NOT NULL,
                PRIMARY KEY (namespace, lease, type, id),
                FOREIGN KEY (namespace, lease) REFERENCES lease ON DELETE CASCADE) WITHOUT ROWID;
            CREATE TABLE image (
                namespace TEXT NOT NULL REFERENCES namespace,
                name TEXT NOT NULL,
                media_type TEXT NOT NULL,
                digest TEXT NOT NULL,
                size INTEGER NOT NULL,
                annotations TEXT NOT NULL,
                labels TEXT NOT NULL,
                created TEXT NOT NULL,
                updated TEXT NOT NULL,
                PRIMARY KEY (namespace, name)) WITHOUT ROWID;
            CREATE TABLE container (
                namespace TEXT NOT NULL REFERENCES namespace,
                id TEXT NOT NULL,
                image TEXT NOT NULL,
                runtime TEXT NOT NULL,
                options_type TEXT NOT NULL,
                options BLOB NOT NULL,
                spec_type TEXT NOT NULL,
                spec BLOB NOT NULL,
                snapshotter TEXT NOT NULL,
                snapshot_key TEXT NOT NULL,
                sandbox TEXT NOT NULL,
                labels TEXT NOT NULL,
                created TEXT NOT NULL,
                updated TEXT NOT NULL,
                PRIMARY KEY (namespace, id)) WITHOUT ROWID;
            CREATE TABLE container_extension (
                namespace TEXT NOT NULL,
                container TEXT NOT NULL,
                name TEXT NOT NULL,
                type TEXT NOT NULL,
                value BLOB NOT NULL,
                PRIMARY KEY (namespace, container, name),
                FOREIGN KEY (namespace, container) REFERENCES container ON DELETE CASCADE) WITHOUT ROWID;
            -- state: 'making' while the backend is asked to prepare it, 'committing' while the backend is asked to commit the
            -- snapshot named by source under this name, else 'ready'.
            CREATE TABLE snapshot (
                namespace TEXT NOT NULL REFERENCES namespace,
                snapshotter TEXT NOT NULL,
                name TEXT NOT NULL,
                backend_key TEXT NOT NULL,
                parent TEXT NOT NULL,
                kind TEXT NOT NULL,
                state TEXT NOT NULL,
                source TEXT NOT NULL,
                labels TEXT NOT NULL,
                created TEXT NOT NULL,
                updated TEXT NOT NULL,
                PRIMARY KEY (namespace, snapshotter, name)) WITHOUT ROWID;
            CREATE INDEX snapshot_backend ON snapshot (snapshotter, backend_key);
            CREATE INDEX snapshot_parent ON snapshot (namespace, snapshotter, parent);
            CREATE TABLE blob (
                namespace TEXT NOT NULL REFERENCES namespace,
                digest TEXT NOT NULL,
                size INTEGER NOT NULL,
                labels TEXT NOT NULL,
                created TEXT NOT NULL,
                updated TEXT NOT NULL,
                PRIMARY KEY (namespace, digest)) WITHOUT ROWID;
            CREATE INDEX blob_digest ON blob (digest);
            -- expires: empty while a lease keeps it.
            CREATE TABLE ingest (
                namespace TEXT NOT NULL REFERENCES namespace,
                ref TEXT NOT NULL,
                backend_ref TEXT NOT NULL UNIQUE,
                expected TEXT NOT NULL,
                expires TEXT NOT NULL,
                PRIMARY KEY (namespace, ref)) WITHOUT ROWID;
            """);

    private Schema() {}

    /** @throws FailedPreconditionException if the file was written by a newer version */
    static void migrate(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            int version;
            try (ResultSet row = statement.executeQuery("PRAGMA user_version")) {
                version = row.getInt(1);
            }
            if (version > STEPS.size()) {
                throw new FailedPreconditionException(
                        "the metadata is of version %d and this daemon knows %d: start the newer daemon that wrote it"
                                .formatted(version, STEPS.size()));
            }
            for (; version < STEPS.size(); version++) {
                statement.executeUpdate(
                        "BEGIN IMMEDIATE;" + STEPS.get(version) + "PRAGMA user_version=" + (version + 1) + ";COMMIT");
            }
        }
    }
}
