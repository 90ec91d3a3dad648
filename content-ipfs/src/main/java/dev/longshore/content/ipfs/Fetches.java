package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.MetaStore.Blob;
import dev.longshore.content.ipfs.MetaStore.Place;
import dev.longshore.content.ipfs.Pack.Part;
import dev.longshore.content.ipfs.Packs.Node;
import dev.longshore.content.ipfs.Traffic.Origin;
import dev.longshore.ipfs.BlockSource;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.DagReader;
import dev.longshore.ipfs.DagReader.Leaf;
import dev.longshore.ipfs.FileImporter;
import dev.longshore.ipfs.MissingBlockException;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Brings blobs to this disk whose CIDs are known. One caller at a time brings a blob, the others wait for it. What was fetched
 * before a failure is not fetched again. Safe for use by many threads.
 */
final class Fetches implements AutoCloseable {

    /** Blocks that are asked for ahead. */
    private static final int WINDOW = 8;

    /** Bytes of nodes that a blob may have: Kubo's have a 5000th of its size. */
    private static final long MAX_NODES = 64 << 20;

    /** Blocks that a blob may have beside one for each KiB. */
    private static final long MORE_BLOCKS = 1000;

    private final IpfsLayout layout;
    private final Packs packs;
    private final Traffic traffic;
    private final BlockSource blocks;
    private final Map<Digest, ReentrantLock> running = new ConcurrentHashMap<>();
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    Fetches(IpfsLayout layout, Packs packs, Upstream upstream, Traffic traffic) {
        this.layout = layout;
        this.packs = packs;
        this.traffic = traffic;
        BlockSource disk = this::onDisk;
        this.blocks = disk.or(upstream);
    }

    /** Verified blocks: of this disk, else of a source. */
    BlockSource blocks() {
        return blocks;
    }

    /**
     * A block of this disk, verified.
     *
     * @throws MissingBlockException if it is not here, or damaged
     */
    byte[] onDisk(Cid cid, Deadline deadline) throws IOException {
        Optional<byte[]> inlined = cid.inlined();
        if (inlined.isPresent()) {
            return inlined.get();
        }
        Optional<Place> place = packs.map().place(cid);
        if (place.isPresent()) {
            try (FileChannel channel = packs.openPack(place.get().pack())) {
                byte[] block = Pack.readAt(
                                channel, place.get().position(), place.get().length())
                        .array();
                if (cid.names(block)) {
                    traffic.read(Origin.DISK, block.length);
                    return block;
                }
                traffic.mismatch();
            } catch (NoSuchFileException | EOFException e) {
                throw new MissingBlockException("block %s was on this disk: %s".formatted(cid, e));
            }
        }
        throw new MissingBlockException("block %s is not on this disk".formatted(cid));
    }

    /**
     * Opens the DAG of a blob.
     *
     * @throws DataLossException if its size is another
     */
    DagReader open(Digest digest, Cid cid, long size, Deadline deadline) throws IOException {
        DagReader reader = new DagReader(blocks, cid, deadline);
        if (reader.size() != size) {
            throw new DataLossException("content %s cannot be what CID %s names: that has %d bytes, not %d"
                    .formatted(digest, cid, reader.size(), size));
        }
        return reader;
    }

    /** Brings a blob that was declared; it is on the disk, and its digest verified, when this returns. */
    void bring(Blob blob, Deadline deadline) throws IOException {
        ReentrantLock mine = running.computeIfAbsent(blob.digest(), _ -> new ReentrantLock());
        try {
            if (!mine.tryLock(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw new DeadlineExceededException(
                        "content %s is still being fetched for somebody else".formatted(blob.digest()));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for content " + blob.digest());
        }
        try {
            Optional<Blob> now = packs.map().find(blob.digest());
            if (now.isPresent() && !now.get().here()) {
                fetch(now.get(), deadline);
            }
        } finally {
            running.remove(blob.digest(), mine);
            mine.unlock();
        }
    }

    private void fetch(Blob blob, Deadline deadline) throws IOException {
        Plan plan = plan(open(blob.digest(), blob.cid(), blob.size(), deadline), deadline);
        Path file = layout.fetch(blob.digest());
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            Digest digest = copy(blob, plan, channel, deadline);
            if (!digest.equals(blob.digest())) {
                Files.delete(file);
                throw new DataLossException(
                        "content %s is not what CID %s names, whose digest is %s: whoever told that CID was wrong; delete the content and bring it again"
                                .formatted(blob.digest(), blob.cid(), digest));
            }
            channel.truncate(blob.size());
            if (plan.inlined().isEmpty()) {
                packs.add(file, channel, digest, blob.cid(), blob.size(), plan.leaves(), plan.nodes());
            } else {
                addAsOurs(blob, file, channel);
            }
        } catch (AlreadyExistsException e) {
            Files.deleteIfExists(file); // somebody has brought the bytes meanwhile
        }
    }

    /**
     * What a blob is made of.
     *
     * @param inlined bytes of the blob that are in nodes, by their offset
     */
    private record Plan(List<Part> leaves, List<Node> nodes, Map<Long, byte[]> inlined) {}

    private static Plan plan(DagReader reader, Deadline deadline) throws IOException {
        Plan plan = new Plan(new ArrayList<>(), new ArrayList<>(), new TreeMap<>());
        long most = MORE_BLOCKS + reader.size() / 1024;
        reader.walk(
                new DagReader.Visitor() {

                    private final Set<Cid> seen = new HashSet<>();
                    private long count;
                    private long bytes;

                    @Override
                    public void leaf(Leaf leaf) throws IOException {
                        count(0);
                        plan.leaves().add(new Part(leaf.cid(), leaf.offset(), leaf.size(), true));
                    }

                    @Override
                    public void node(Cid cid, byte[] block, long offset, byte[] data) throws IOException {
                        count(data.length);
                        if (seen.add(cid)) {
                            bytes += block.length - data.length;
                            plan.nodes().add(new Node(cid, ByteBuffer.wrap(block)));
                        }
                        if (data.length > 0) {
                            plan.inlined().put(offset, data);
                        }
                    }

                    private void count(int data) throws IOException {
                        bytes += data;
                        if (++count > most || bytes > MAX_NODES) {
                            throw new IOException(
                                    "a blob of %d bytes has more than %d blocks, or more than %d bytes of nodes"
                                            .formatted(reader.size(), most, MAX_NODES));
                        }
                    }
                },
                deadline);
        return plan;
    }

    /** Writes the blob from its start on, and tells its digest. */
    private Digest copy(Blob blob, Plan plan, FileChannel channel, Deadline deadline) throws IOException {
        MessageDigest digester = blob.digest().digester();
        Queue<Ahead> window = new ArrayDeque<>();
        try {
            long position = 0;
            int next = 0;
            while (position < blob.size()) {
                byte[] inlined = plan.inlined().get(position);
                if (inlined != null) {
                    Pack.writeAt(channel, position, ByteBuffer.wrap(inlined));
                    digester.update(inlined);
                    position += inlined.length;
                    continue;
                }
                while (window.size() < WINDOW && next < plan.leaves().size()) {
                    Part leaf = plan.leaves().get(next++);
                    window.add(new Ahead(leaf, threads.submit(() -> bytes(leaf, channel, deadline))));
                }
                Ahead first = window.remove();
                byte[] block = first.bytes();
                checkLength(blob, first.leaf(), block);
                digester.update(block);
                position += block.length;
            }
        } finally {
            window.forEach(ahead -> ahead.block().cancel(true));
        }
        return Digest.of(blob.digest().algorithm(), digester);
    }

    private static void checkLength(Blob blob, Part leaf, byte[] block) throws IOException {
        if (block.length != leaf.length()) {
            throw new IOException("block %s of content %s has %d bytes, where its node says %d"
                    .formatted(leaf.cid(), blob.digest(), block.length, leaf.length()));
        }
    }

    /** One leaf of a blob that was declared, which is on this disk afterwards. */
    byte[] leaf(Blob blob, Leaf leaf, Deadline deadline) throws IOException {
        Part part = new Part(leaf.cid(), leaf.offset(), leaf.size(), true);
        if (packs.map().find(blob.digest()).filter(now -> !now.here()).isEmpty()) {
            // Brought or deleted meanwhile: there must be no file of it again.
            byte[] block = blocks.get(leaf.cid(), deadline);
            checkLength(blob, part, block);
            return block;
        }
        try (FileChannel channel = FileChannel.open(
                layout.fetch(blob.digest()),
                StandardOpenOption.CREATE,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE)) {
            byte[] block = bytes(part, channel, deadline);
            checkLength(blob, part, block);
            return block;
        }
    }

    private record Ahead(Part leaf, Future<byte[]> block) {

        byte[] bytes() throws IOException {
            try {
                return block.get();
            } catch (ExecutionException e) {
                throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("interrupted while fetching block " + leaf.cid());
            }
        }
    }

    /** The block of a leaf, which is in its place in the file afterwards; it may have been there before. */
    private byte[] bytes(Part leaf, FileChannel channel, Deadline deadline) throws IOException {
        if (channel.size() >= leaf.offset() + leaf.length()) {
            byte[] there = Pack.readAt(channel, leaf.offset(), leaf.length()).array();
            if (leaf.cid().names(there)) {
                return there;
            }
        }
        byte[] block = blocks.get(leaf.cid(), deadline);
        if (block.length == leaf.length()) {
            Pack.writeAt(channel, leaf.offset(), ByteBuffer.wrap(block));
        }
        return block;
    }

    /** A blob with bytes in nodes: it is cut anew, since a pack has the blob's bytes in raw blocks only. */
    private void addAsOurs(Blob blob, Path file, FileChannel channel) throws IOException {
        Imported imported = new Imported();
        FileImporter importer = new FileImporter(imported);
        for (long position = 0; position < blob.size(); ) {
            int count = (int) Math.min(FileImporter.CHUNK, blob.size() - position);
            importer.add(Pack.readAt(channel, position, count));
            position += count;
        }
        packs.add(file, channel, blob.digest(), importer.finish(), blob.size(), imported.leaves(), imported.nodes());
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
