package dev.longshore.daemon.content;

import dev.longshore.daemon.metadata.MetadataStore;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Random;

/** Writes blobs until it is killed, several at a time, and tells each one that was acknowledged. */
final class ContentProcess {

    static final CallContext CONTEXT = CallContext.of("crash", Duration.ofMinutes(10));

    private static final int WORKERS = 4;
    private static final int MAX_SIZE = 600_000;
    private static final int PIECE = 20_000;

    private ContentProcess() {}

    /** A content store over files below a root, and its metadata. */
    record Opened(MetadataStore metadata, ContentStore content) implements AutoCloseable {

        static Opened on(Path root) throws IOException {
            MetadataStore metadata = MetadataStore.open(
                    Files.createDirectories(root.resolve("meta")), Clock.systemUTC(), leavesGarbage -> {});
            return new Opened(
                    metadata,
                    metadata.content(
                            new LocalContentStore(root.resolve("content"), Clock.systemUTC()), SharingPolicy.SHARED));
        }

        @Override
        public void close() {
            content.close();
            metadata.close();
        }
    }

    /** The blob that belongs to a ref, always the same. */
    static byte[] blob(String ref) {
        Random random = new Random(ref.hashCode());
        byte[] bytes = new byte[1 + random.nextInt(MAX_SIZE)];
        random.nextBytes(bytes);
        return bytes;
    }

    static Map<String, String> labels(String ref) {
        return Map.of("ref", ref, "containerd.io/gc.root", "yes");
    }

    /** Takes up {@code ref} where it was left, and commits it. */
    static Digest ingest(ContentStore content, String ref) {
        byte[] bytes = blob(ref);
        Digest digest = Digest.sha256(bytes);
        try (ContentWriter writer =
                content.writer(CONTEXT, new WriterRequest(ref, bytes.length, Optional.of(digest)))) {
            for (int offset = (int) writer.status().offset(); offset < bytes.length; offset += PIECE) {
                writer.write(ByteBuffer.wrap(bytes, offset, Math.min(PIECE, bytes.length - offset)));
            }
            writer.commit(bytes.length, Optional.of(digest), labels(ref));
        }
        return digest;
    }

    /** Root, and what the refs begin with. */
    public static void main(String[] arguments) throws IOException {
        Opened opened = Opened.on(Path.of(arguments[0]));
        for (int worker = 0; worker < WORKERS; worker++) {
            String prefix = arguments[1] + "-" + worker + "-";
            Thread.ofPlatform().start(() -> {
                for (int i = 0; ; i++) {
                    String ref = prefix + i;
                    tell("begin " + ref);
                    ingest(opened.content(), ref);
                    tell("done " + ref);
                }
            });
        }
    }

    private static void tell(String line) {
        synchronized (System.out) {
            System.out.println(line);
            System.out.flush();
        }
    }
}
