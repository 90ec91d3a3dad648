/**
 * The lazy file system: the kernel's FUSE protocol, spoken on {@code /dev/fuse} itself. One mount shows one layer. Imports
 * {@code sdk.linux} and {@code stargz.index}.
 */
@NullMarked
package dev.longshore.stargz.fuse;

import org.jspecify.annotations.NullMarked;
