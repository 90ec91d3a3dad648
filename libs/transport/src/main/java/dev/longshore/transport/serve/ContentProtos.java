package dev.longshore.transport.serve;

import dev.longshore.api.services.content.v1.Info;
import dev.longshore.api.services.content.v1.Status;
import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.digest.Digest;
import java.util.Optional;

/** Content values on the wire and off it. */
public final class ContentProtos {

    private ContentProtos() {}

    public static Info info(ContentInfo info) {
        return Info.newBuilder()
                .setDigest(info.digest().toString())
                .setSize(info.size())
                .setCreatedAt(Protos.timestamp(info.created()))
                .setUpdatedAt(Protos.timestamp(info.updated()))
                .putAllLabels(info.labels())
                .build();
    }

    public static ContentInfo record(Info info) {
        return new ContentInfo(
                Digest.parse(info.getDigest()),
                info.getSize(),
                Protos.instant(info.getCreatedAt()),
                Protos.instant(info.getUpdatedAt()),
                info.getLabelsMap());
    }

    public static Status status(IngestStatus status) {
        return Status.newBuilder()
                .setRef(status.ref())
                .setOffset(status.offset())
                .setTotal(status.total())
                .setExpected(status.expected().map(Digest::toString).orElse(""))
                .setStartedAt(Protos.timestamp(status.started()))
                .setUpdatedAt(Protos.timestamp(status.updated()))
                .build();
    }

    public static IngestStatus record(Status status) {
        return new IngestStatus(
                status.getRef(),
                status.getOffset(),
                status.getTotal(),
                digest(status.getExpected()),
                Protos.instant(status.getStartedAt()),
                Protos.instant(status.getUpdatedAt()));
    }

    /** The digest; the empty text stands for none. */
    public static Optional<Digest> digest(String text) {
        return text.isEmpty() ? Optional.empty() : Optional.of(Digest.parse(text));
    }
}
