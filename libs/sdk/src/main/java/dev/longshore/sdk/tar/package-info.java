/**
 * Reads and writes tar archives as streams. Imports nothing of ours.
 *
 * <p>Names, link targets and the keys and values of extended headers are <i>byte strings</i>: strings with one byte per
 * character, as {@link dev.longshore.sdk.tar.ByteStrings} makes them. Linux puts no character set on file names, and
 * the values of extended attributes are binary.
 */
@NullMarked
package dev.longshore.sdk.tar;

import org.jspecify.annotations.NullMarked;
