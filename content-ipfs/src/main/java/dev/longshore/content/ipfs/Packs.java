package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.MetaStore.Added;
import dev.longshore.content.ipfs.MetaStore.Blob;
import dev.longshore.content.ipfs.MetaStore.Freed;
import dev.longshore.content.ipfs.MetaStore.Place;
import dev.longshore.content.ipfs.Pack.Part;
import dev.longshore.ipfs.Cid;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileCalls;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The blobs on this disk, each in a pack, and the map of them. A blob is there once its pack has its name: the map is brought up to
 * what the packs say whenever it is opened, and made anew from them if it is damaged. Blocks that two blobs share are kept in the pack
 * of the first only; the place in the other is a hole. Safe for use by many threads.
 */
final class Packs implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Packs.class);

    /** Bytes; to free less is not worth a call. */
    private static final int SMALLEST_HOLE = 4096;

    private final IpfsLayout layout;
    private final Clock clock;
    private final MetaStore map;
    private final Verified verified = new Verified();
    private final Optional<NodeCopies> copies;
    private final AtomicLong lastNumber = new AtomicLong();

    /** Held while blobs are added to the map, and from when it is decided what is freed until it is gone. */
    private final ReentrantLock changes = new ReentrantLock();

    private Packs(IpfsLayout layout, Clock clock, MetaStore map, Optional<NodeCopies> copies) {
        this.layout = layout;
        this.clock = clock;
        this.map = map;
        this.copies = copies;
    }

    /** Opens what is there, and drops what a crash left half made. */
    static Packs open(IpfsLayout layout, Clock clock, Optional<NodeCopies> copies) throws IOException {
        Optional<MetaStore> good;
        try {
            good = Optional.of(MetaStore.open(layout.map()));
        } catch (DataLossException e) {
            Path aside = layout.root().resolve("map.db.damaged");
            log.atError()
                    .addKeyValue("err", e.getMessage())
                    .addKeyValue("kept", aside)
                    .log("the map of blobs is damaged: making it anew from the packs");
            for (String end : List.of("-wal", "-shm")) {
                Files.deleteIfExists(layout.root().resolve("map.db" + end));
            }
            DurableFiles.move(layout.map(), aside);
            good = Optional.empty();
        }
        MetaStore map = good.orElseGet(() -> MetaStore.open(layout.map()));
        try {
            Packs packs = new Packs(layout, clock, map, copies);
            packs.reconcile();
            return packs;
        } catch (IOException | RuntimeException e) {
            map.close();
            throw e;
        }
    }

    MetaStore map() {
        return map;
    }

    /** The blocks that this process need not verify again. */
    Verified verified() {
        return verified;
    }

    /** Makes the map say what is on the disk. */
    private void reconcile() throws IOException {
        Set<Long> known = map.packs();
        TreeMap<Long, Path> there = new TreeMap<>();
        try (Stream<Path> files = Files.list(layout.packs())) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (name.matches("[1-9][0-9]{0,17}")) {
                    there.put(Long.parseLong(name), file);
                }
            }
        }
        lastNumber.set(there.isEmpty() ? 0 : there.lastKey());
        for (long pack : known) {
            lastNumber.accumulateAndGet(pack, Math::max);
            if (!there.containsKey(pack)) {
                for (Blob lost : map.dropPack(pack)) {
                    log.atError()
                            .addKeyValue("digest", lost.digest())
                            .addKeyValue("pack", pack)
                            .log("a pack is gone, and blobs with it: they are fetched again if a source has them");
                }
            }
        }
        for (Blob blob : map.deleted()) {
            purge(blob);
        }
        adopt(there, known);
        readDeclarations();
    }

    /** Takes up packs that the map does not know, in two rounds, since one may have blocks of another. */
    private void adopt(Map<Long, Path> there, Set<Long> known) throws IOException {
        Map<Long, Pack> tables = new LinkedHashMap<>();
        for (var file : there.entrySet()) {
            if (known.contains(file.getKey())) {
                continue;
            }
            try (FileChannel channel = FileChannel.open(file.getValue(), StandardOpenOption.READ)) {
                Optional<Pack> table = Pack.read(channel);
                if (table.isPresent()
                        && Blob.isSole(table.get().digest(), table.get().root())) {
                    if (isGood(channel, table.get().parts().getFirst()) && addIfAbsent(file.getKey(), table.get())) {
                        continue;
                    }
                } else if (table.isPresent()) {
                    for (Part part : table.get().parts()) {
                        if (isGood(channel, part)) {
                            map.addBlock(file.getKey(), part);
                        }
                    }
                    tables.put(file.getKey(), table.get());
                    continue;
                }
            }
            log.atWarn()
                    .addKeyValue("pack", file.getValue())
                    .log("dropping a pack that is damaged, or not the only one of its blob");
            Files.delete(file.getValue());
        }
        for (var pack : tables.entrySet()) {
            Pack table = pack.getValue();
            boolean added = verify(table) && addIfAbsent(pack.getKey(), table);
            log.atInfo()
                    .addKeyValue("digest", table.digest())
                    .addKeyValue("added", added)
                    .log("found a pack that the map does not know");
        }
        if (!tables.isEmpty()) {
            map.dropOrphans();
            Set<Long> used = map.packs();
            for (long pack : tables.keySet()) {
                if (!used.contains(pack)) {
                    Files.delete(layout.pack(pack));
                }
            }
        }
    }

    private boolean addIfAbsent(long number, Pack table) {
        try {
            Added _ = map.add(number, table, table.parts());
            return true;
        } catch (AlreadyExistsException e) {
            return false;
        }
    }

    private static boolean isGood(FileChannel channel, Part part) throws IOException {
        try {
            return part.cid().names(Pack.readAt(channel, part.offset(), part.length()));
        } catch (EOFException e) {
            return false;
        }
    }

    /** Whether all blocks of a blob are on this disk, and make it up. */
    private boolean verify(Pack table) throws IOException {
        MessageDigest digester = table.digest().digester();
        Map<Long, FileChannel> channels = new HashMap<>();
        try {
            for (Part part : table.parts()) {
                Optional<Place> place = map.place(part.cid());
                if (place.isEmpty()) {
                    return false;
                }
                if (part.leaf()) {
                    long pack = place.get().pack();
                    FileChannel channel = channels.get(pack);
                    if (channel == null) {
                        channel = FileChannel.open(layout.pack(pack), StandardOpenOption.READ);
                        channels.put(pack, channel);
                    }
                    digester.update(Pack.readAt(
                            channel, place.get().position(), place.get().length()));
                }
            }
        } finally {
            for (FileChannel channel : channels.values()) {
                channel.close();
            }
        }
        return Digest.of(table.digest().algorithm(), digester).equals(table.digest());
    }

    private void readDeclarations() throws IOException {
        try (Stream<Path> files = Files.list(layout.declarations())) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                try {
                    Digest digest = Digest.parse(name.replaceFirst("-", ":"));
                    Optional<Blob> blob = map.find(digest);
                    if (blob.isEmpty()) {
                        List<String> lines = Files.readAllLines(file);
                        map.declare(
                                lastNumber.incrementAndGet(),
                                digest,
                                Cid.parse(lines.get(0)),
                                Long.parseLong(lines.get(1)),
                                clock.instant());
                    } else if (blob.get().here()) {
                        Files.delete(file); // left by a crash
                    }
                } catch (InvalidArgumentException | NumberFormatException | IndexOutOfBoundsException e) {
                    log.atWarn()
                            .addKeyValue("file", file)
                            .addKeyValue("err", e.getMessage())
                            .log("dropping a declaration that cannot be read");
                    Files.delete(file);
                }
            }
        }
    }

    /**
     * Makes a blob of a file that has its bytes and nothing behind them. Nodes and table written, file synced, renamed, folder synced:
     * the blob is there. Then the map is told, and the places of blocks that were there already become holes.
     *
     * @param file below the same root; on failure it stays, as long as the blob
     * @param channel of the file
     * @param leaves in their order
     * @throws AlreadyExistsException if the blob is there already
     */
    void add(Path file, FileChannel channel, Digest digest, Cid root, long size, List<Part> leaves, List<Node> nodes)
            throws IOException {
        List<Part> parts = new ArrayList<>(leaves);
        long number = lastNumber.incrementAndGet();
        Path target = layout.pack(number);
        Pack table;
        try {
            long end = size;
            for (Node node : nodes) {
                Pack.writeAt(channel, end, node.block().duplicate());
                parts.add(new Part(node.cid(), end, node.block().remaining(), false));
                end += node.block().remaining();
            }
            table = new Pack(digest, root, size, clock.instant(), parts);
            Pack.writeAt(channel, end, ByteBuffer.wrap(table.table()));
            channel.force(false);
            copies.ifPresent(node -> node.keep(digest, root, channel, parts));
        } catch (IOException | RuntimeException e) {
            channel.truncate(size);
            throw e;
        }
        DurableFiles.move(file, target);
        Added added;
        changes.lock();
        try {
            added = map.add(number, table, parts);
        } catch (AlreadyExistsException e) {
            Files.delete(target);
            throw e;
        } finally {
            changes.unlock();
        }
        added.fresh().forEach(verified::add); // as they were before they were written
        punch(target, added.elsewhere());
        Files.deleteIfExists(layout.declared(digest));
    }

    /**
     * A node of a DAG.
     *
     * @param block at its start; to be duplicated by who reads it
     */
    record Node(Cid cid, ByteBuffer block) {}

    private static void punch(Path file, List<Part> parts) {
        for (Part part : parts) {
            if (part.length() >= SMALLEST_HOLE && !punch(file, part.offset(), part.length())) {
                return;
            }
        }
    }

    /** Whether it worked; where it does not, the bytes stay as long as the pack. */
    private static boolean punch(Path file, long offset, long length) {
        try {
            FileCalls.punchHole(file, offset, length);
            return true;
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EOPNOTSUPP) {
                log.atWarn()
                        .addKeyValue("pack", file)
                        .addKeyValue("err", e.getMessage())
                        .log("cannot free a part of a pack");
            }
            return false;
        }
    }

    /** Records under which CID a blob is, durably. */
    void declare(Digest digest, Cid cid, long size) throws IOException {
        if (map.find(digest).isPresent()) {
            throw new AlreadyExistsException("content %s".formatted(digest));
        }
        // The map is lost more easily than a file.
        DurableFiles.write(
                layout.declared(digest), "%s%n%d%n".formatted(cid, size).getBytes(StandardCharsets.UTF_8));
        map.declare(lastNumber.incrementAndGet(), digest, cid, size, clock.instant());
    }

    /** Frees what a blob has that no other needs. The blob is hidden in the map, and nobody reads it. */
    void purge(Blob blob) throws IOException {
        changes.lock();
        try {
            Freed freed = map.freed(blob.id());
            for (long pack : freed.packs()) {
                Files.deleteIfExists(layout.pack(pack));
            }
            for (Place place : freed.places()) {
                if (place.length() >= SMALLEST_HOLE) {
                    boolean _ = punch(layout.pack(place.pack()), place.position(), place.length());
                }
            }
            map.purge(blob.id(), freed);
        } finally {
            changes.unlock();
        }
    }

    /** Removes what there is of a blob whose bytes are not here. */
    void dropDeclaration(Digest digest) throws IOException {
        Files.deleteIfExists(layout.declared(digest));
        Files.deleteIfExists(layout.fetch(digest));
    }

    FileChannel openPack(long pack) throws IOException {
        return FileChannel.open(layout.pack(pack), StandardOpenOption.READ);
    }

    @Override
    public void close() {
        map.close();
    }
}
