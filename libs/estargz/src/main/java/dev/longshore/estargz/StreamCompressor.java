package dev.longshore.estargz;

/** Makes one compressed stream of its own of some bytes, the same for the same bytes. For one thread. */
interface StreamCompressor extends AutoCloseable {

    byte[] compress(byte[] bytes, int length);

    @Override
    void close();
}
