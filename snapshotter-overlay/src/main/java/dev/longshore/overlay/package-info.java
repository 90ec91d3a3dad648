/**
 * Snapshots on overlayfs, as a program of its own. Imports {@code sdk} and {@code transport}; {@code java.sql} only in
 * {@code MetaStore}.
 */
@NullMarked
package dev.longshore.overlay;

import org.jspecify.annotations.NullMarked;
