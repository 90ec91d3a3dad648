package dev.longshore.content.ipfs;

import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.NotFoundException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Random;

/** Ingests, commits and deletes blobs until it is killed, several at a time, and tells what was acknowledged. */
final class StoreProcess {

    static final int WORKERS = 3;

    private static final int PIECE = 90_000;

    private StoreProcess() {}

    /** The blob that belongs to a number, always the same. Those of one worker share most of their chunks. */
    static byte[] blob(int worker, int number) {
        Random random = new Random(worker * 1_000_003L + number);
        byte[] bytes = Stores.bytes(1 + random.nextInt(random.nextInt(3) == 0 ? 700_000 : 5_000), worker);
        byte[] own = Stores.bytes(16, random.nextLong());
        int at = random.nextInt(bytes.length);
        System.arraycopy(own, 0, bytes, at, Math.min(own.length, bytes.length - at));
        return bytes;
    }

    /** Root, the first number, and every how many blobs one is deleted. */
    public static void main(String[] arguments) throws IOException {
        IpfsContentStore store = Stores.open(Path.of(arguments[0]));
        int first = Integer.parseInt(arguments[1]);
        for (int worker = 0; worker < WORKERS; worker++) {
            int mine = worker;
            Thread.ofPlatform().start(() -> {
                for (int number = first; ; number++) {
                    tell("begin " + mine + " " + number);
                    ingest(store, blob(mine, number), mine + "-" + number);
                    tell("done " + mine + " " + number);
                    if (number % 3 == 2) {
                        tell("delete " + mine + " " + (number - 1));
                        delete(store, Digest.sha256(blob(mine, number - 1)));
                        tell("deleted " + mine + " " + (number - 1));
                    }
                }
            });
        }
    }

    /** Takes up the ingest where it was left, and commits it. */
    static void ingest(IpfsContentStore store, byte[] bytes, String ref) {
        Digest digest = Digest.sha256(bytes);
        try (ContentWriter writer =
                store.writer(Stores.CONTEXT, new WriterRequest(ref, bytes.length, Optional.of(digest)))) {
            for (int offset = (int) writer.status().offset(); offset < bytes.length; offset += PIECE) {
                writer.write(ByteBuffer.wrap(bytes, offset, Math.min(PIECE, bytes.length - offset)));
            }
            writer.commit(bytes.length, Optional.of(digest), Map.of());
        } catch (AlreadyExistsException e) {
            // Committed, and killed before it could say so.
            return;
        }
    }

    private static void delete(IpfsContentStore store, Digest digest) {
        try {
            store.delete(Stores.CONTEXT, digest);
        } catch (NotFoundException e) {
            return; // deleted, and killed before it could say so
        }
    }

    private static void tell(String line) {
        synchronized (System.out) {
            System.out.println(line);
            System.out.flush();
        }
    }
}
