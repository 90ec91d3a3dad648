/**
 * Snapshots as folders that overlayfs stacks: for programs that are snapshotters of this kind, and for those that show some
 * layers otherwise and keep the rest so. Imports {@code sdk}; {@code java.sql} only in {@code MetaStore}.
 */
@NullMarked
package dev.longshore.snapshots;

import org.jspecify.annotations.NullMarked;
