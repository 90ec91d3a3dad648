package dev.longshore.stargz.layer;

/**
 * What became of the part of a layer that was fetched before anybody asked for it, since this process has the layer.
 *
 * @param fetched compressed bytes of it
 * @param used compressed bytes of what was read of it, in whole streams
 */
public record PrefetchUse(long fetched, long used) {

    static final PrefetchUse NONE = new PrefetchUse(0, 0);
}
