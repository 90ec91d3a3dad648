package dev.longshore.stargz.fuse;

/**
 * What was agreed on with the kernel when the file system was mounted.
 *
 * @param minor version of the protocol
 * @param resend whether it sends what is unanswered again, when asked by who has taken the mount over; kernels from 6.9
 * @param passthrough whether it reads backing files by itself; kernels from 6.9, if asked for
 */
public record Features(int minor, boolean resend, boolean passthrough) {}
