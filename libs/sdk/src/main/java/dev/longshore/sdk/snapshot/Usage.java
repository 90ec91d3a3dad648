package dev.longshore.sdk.snapshot;

/**
 * What a snapshot takes without its parents.
 *
 * @param inodes number of inodes
 * @param size bytes on disk: allocated blocks, hard links counted once
 */
public record Usage(long inodes, long size) {}
