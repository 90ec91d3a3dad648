package dev.longshore.stargz.fuse;

import java.util.function.Supplier;

/**
 * What a mount says of its own state in {@code /.stargz-snapshotter/}, a folder that is not listed.
 *
 * @param name of the file in the folder
 * @param content asked at each read; at most 4096 bytes are shown
 */
public record StatusFile(String name, Supplier<byte[]> content) {}
