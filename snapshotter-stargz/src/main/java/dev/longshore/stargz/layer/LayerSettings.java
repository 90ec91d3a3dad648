package dev.longshore.stargz.layer;

import java.time.Duration;

/**
 * How layers are read.
 *
 * @param allowNoVerification whether layers are read lazily of which nothing says what they should be
 * @param resolveTimeout for a layer's table of contents; then it becomes an ordinary layer
 * @param fetchTimeout for the bytes that a reader waits for; then it gets EIO
 * @param prefetch whether that part is fetched at once which a layer says is needed first
 * @param prefetchSize bytes to fetch at once of layers that do not say anything
 * @param background whether all the rest is fetched, too, when nobody waits for anything
 */
public record LayerSettings(
        boolean allowNoVerification,
        Duration resolveTimeout,
        Duration fetchTimeout,
        boolean prefetch,
        long prefetchSize,
        boolean background) {}
