/**
 * A content store whose blobs live in IPFS. Imports {@code sdk}, {@code transport} and {@code ipfs}; {@code java.sql} only in
 * {@code MetaStore}.
 */
@NullMarked
package dev.longshore.content.ipfs;

import org.jspecify.annotations.NullMarked;
