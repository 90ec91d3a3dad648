package dev.longshore.daemon.metadata;

import dev.longshore.sdk.namespace.NamespaceId;
import java.sql.SQLException;

/** The row of a namespace, which comes into being with its first object. */
final class Namespaces {

    private Namespaces() {}

    static void ensure(Tx tx, NamespaceId namespace) throws SQLException {
        tx.update("INSERT OR IGNORE INTO namespace (name, labels) VALUES (?, '')", namespace.value());
    }
}
