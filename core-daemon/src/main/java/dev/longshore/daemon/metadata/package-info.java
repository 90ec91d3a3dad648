/**
 * What the daemon keeps in SQLite: namespaces, leases, images, containers, and the names by which clients know
 * snapshots and content. The only package of the daemon that may import {@code java.sql}.
 *
 * <p>Nothing here calls a backend inside a transaction. What needs both, a row and an object at a backend, is made in three
 * steps: a row that says what is about to be made, the call, and the row's final state. A crash in between leaves a row
 * that {@link dev.longshore.daemon.metadata.MetadataStore#open} or the next use resolves, or an object without a row, which the garbage
 * collector removes.
 */
@NullMarked
package dev.longshore.daemon.metadata;

import org.jspecify.annotations.NullMarked;
