package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.MetaStore.Blob;
import dev.longshore.content.ipfs.MetaStore.Extent;
import dev.longshore.content.ipfs.MetaStore.Place;
import dev.longshore.content.ipfs.Traffic.Origin;
import dev.longshore.ipfs.BlockSource;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.DataLossException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A blob on this disk, with the packs that it is in held open. A block is verified when it is read for the first time in this
 * process; one that is damaged is fetched again if there is a source. Safe for use by many threads.
 */
final class StoredBlob implements AutoCloseable {

    private final Blob blob;
    private final Place[] places;
    private final long[] starts;
    private final Map<Long, FileChannel> channels;
    private final Verified verified;
    private final BlockSource upstream;
    private final IpfsLayout layout;
    private final Traffic traffic;

    private StoredBlob(
            Blob blob,
            Place[] places,
            long[] starts,
            Map<Long, FileChannel> channels,
            Verified verified,
            BlockSource upstream,
            IpfsLayout layout,
            Traffic traffic) {
        this.blob = blob;
        this.places = places;
        this.starts = starts;
        this.channels = channels;
        this.verified = verified;
        this.upstream = upstream;
        this.layout = layout;
        this.traffic = traffic;
    }

    /**
     * Opens the packs of a blob.
     *
     * @param upstream where damaged blocks can be had, verified
     * @throws DataLossException if the map does not know where all of it is
     */
    static StoredBlob open(Blob blob, Packs packs, BlockSource upstream, IpfsLayout layout, Traffic traffic)
            throws IOException {
        List<Extent> extents = blob.isSole()
                ? List.of(new Extent(0, blob.place()))
                : packs.map().extents(blob.id());
        Place[] places = new Place[extents.size()];
        long[] starts = new long[extents.size()];
        long end = 0;
        Map<Long, FileChannel> channels = new HashMap<>();
        try {
            for (int i = 0; i < places.length; i++) {
                places[i] = extents.get(i).place();
                starts[i] = end;
                if (extents.get(i).start() != end) {
                    break;
                }
                end += places[i].length();
                if (!channels.containsKey(places[i].pack())) {
                    channels.put(places[i].pack(), packs.openPack(places[i].pack()));
                }
            }
            if (end != blob.size()) {
                throw new DataLossException(
                        "content %s is damaged: of %d bytes %d can be found; delete it and bring it again"
                                .formatted(blob.digest(), blob.size(), end));
            }
        } catch (IOException | RuntimeException e) {
            close(channels);
            throw e;
        }
        return new StoredBlob(blob, places, starts, channels, packs.verified(), upstream, layout, traffic);
    }

    Blob blob() {
        return blob;
    }

    /** Leaves of the blob: what it costs in memory. */
    int weight() {
        return places.length;
    }

    /** As {@code ContentReader#read}. */
    int read(ByteBuffer buffer, long offset, Deadline deadline) throws IOException {
        if (offset >= blob.size()) {
            return -1;
        }
        int begin = buffer.position();
        long position = offset;
        for (int i = find(offset); buffer.hasRemaining() && position < blob.size(); i++) {
            Place place = places[i];
            int skip = (int) (position - starts[i]);
            int count = Math.min(place.length() - skip, buffer.remaining());
            if (verified.has(place.block())) {
                traffic.hit();
                ByteBuffer part = buffer.slice(buffer.position(), count);
                readFully(place, part, place.position() + skip);
                buffer.position(buffer.position() + count);
            } else {
                buffer.put(verify(place, deadline), skip, count);
            }
            position += count;
        }
        return buffer.position() - begin;
    }

    /** The leaf that {@code offset}, which is in the blob, is in. */
    private int find(long offset) {
        int low = 0;
        int high = starts.length - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (starts[middle] <= offset) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    private void readFully(Place place, ByteBuffer part, long position) throws IOException {
        FileChannel channel = channel(place);
        int begin = part.position();
        while (part.hasRemaining()) {
            if (channel.read(part, position + part.position() - begin) < 0) {
                throw damaged(place, "its pack ends before it");
            }
        }
    }

    private FileChannel channel(Place place) {
        FileChannel channel = channels.get(place.pack());
        if (channel == null) {
            throw new IllegalStateException("pack %d is not open".formatted(place.pack()));
        }
        return channel;
    }

    private byte[] verify(Place place, Deadline deadline) throws IOException {
        byte[] block = new byte[place.length()];
        readFully(place, ByteBuffer.wrap(block), place.position());
        if (place.cid().names(block)) {
            traffic.read(Origin.DISK, block.length);
            verified.add(place.block());
            return block;
        }
        traffic.mismatch();
        byte[] good;
        try {
            good = upstream.get(place.cid(), deadline);
        } catch (IOException e) {
            DataLossException told = damaged(place, "its bytes on the disk are others");
            told.addSuppressed(e);
            throw told;
        }
        try (FileChannel channel = FileChannel.open(layout.pack(place.pack()), StandardOpenOption.WRITE)) {
            Pack.writeAt(channel, place.position(), ByteBuffer.wrap(good));
            channel.force(false);
        }
        return good;
    }

    private DataLossException damaged(Place place, String why) {
        return new DataLossException(
                "block %s of content %s is damaged, %s, and no source has it: delete the content and bring it again"
                        .formatted(place.cid(), blob.digest(), why));
    }

    private static void close(Map<Long, FileChannel> channels) throws IOException {
        for (FileChannel channel : channels.values()) {
            channel.close();
        }
    }

    @Override
    public void close() throws IOException {
        close(channels);
    }
}
