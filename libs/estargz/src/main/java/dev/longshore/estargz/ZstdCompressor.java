package dev.longshore.estargz;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import java.util.Arrays;

/** Frames of zstd with their size and checksum, RFC 8878. */
final class ZstdCompressor implements StreamCompressor {

    private final ZstdCompressCtx context;

    ZstdCompressor(int level) {
        context = new ZstdCompressCtx();
        context.setLevel(level).setChecksum(true).setContentSize(true);
    }

    @Override
    public byte[] compress(byte[] bytes, int length) {
        byte[] out = new byte[Math.toIntExact(Zstd.compressBound(length))];
        return Arrays.copyOf(out, context.compressByteArray(out, 0, out.length, bytes, 0, length));
    }

    @Override
    public void close() {
        context.close();
    }
}
