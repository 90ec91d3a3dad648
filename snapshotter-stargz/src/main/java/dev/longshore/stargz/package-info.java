/**
 * Snapshots whose layers are mounted before they are here. Imports {@code sdk}, {@code transport}, {@code registry} and
 * {@code estargz}; {@code java.sql} only in {@code MetaStore}.
 */
@NullMarked
package dev.longshore.stargz;

import org.jspecify.annotations.NullMarked;
