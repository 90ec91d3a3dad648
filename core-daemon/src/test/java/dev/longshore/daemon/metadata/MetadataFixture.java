package dev.longshore.daemon.metadata;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.content.ContentWriter;
import dev.longshore.sdk.content.WriterRequest;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.oci.Descriptor;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Things that tests of the metadata put into it. */
final class MetadataFixture {

    static final NamespaceId NAMESPACE = new NamespaceId("test");

    private MetadataFixture() {}

    static CallContext context() {
        return CallContext.of(NAMESPACE.value(), Duration.ofMinutes(1));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static Digest digest(String text) {
        return Digest.sha256(bytes(text));
    }

    static Image image(String name, String target, Map<String, String> labels) {
        return new Image(
                name,
                new Descriptor("application/vnd.oci.image.manifest.v1+json", digest(target), 10),
                labels,
                Instant.EPOCH,
                Instant.EPOCH);
    }

    static Digest write(ContentStore content, CallContext context, String text, Map<String, String> labels) {
        Digest digest = digest(text);
        byte[] bytes = bytes(text);
        try (ContentWriter writer =
                content.writer(context, new WriterRequest("write " + text, bytes.length, Optional.of(digest)))) {
            int there = (int) writer.status().offset();
            writer.write(ByteBuffer.wrap(bytes, there, bytes.length - there));
            writer.commit(bytes.length, Optional.of(digest), labels);
        }
        return digest;
    }

    static List<Digest> list(ContentStore content, CallContext context) {
        List<Digest> digests = new ArrayList<>();
        content.list(context, List.of(), (ContentInfo info) -> digests.add(info.digest()));
        return digests;
    }

    /** A clock that stands until it is moved. */
    static final class HandClock extends Clock {

        private Instant now = Instant.parse("2026-01-01T00:00:00Z");

        void forward(Duration time) {
            now = now.plus(time);
        }

        @Override
        public Instant instant() {
            return now;
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            throw new UnsupportedOperationException("only UTC");
        }
    }
}
