package dev.longshore.sdk.filter;

import dev.longshore.sdk.content.ContentInfo;
import dev.longshore.sdk.content.IngestStatus;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** The fields of an object, by path; what a {@link Filter} looks at. */
@FunctionalInterface
public interface Fields {

    /**
     * The value at {@code path}; empty if the object has no such field. A field that is there may have the empty value.
     *
     * @param path not empty
     */
    Optional<String> field(List<String> path);

    /** The fields of a snapshot: kind, name, parent, labels. */
    static Fields of(SnapshotInfo info) {
        return path -> switch (path.getFirst()) {
            case "kind" -> Optional.of(info.kind().name().toLowerCase(Locale.ROOT));
            case "name" -> Optional.of(info.name());
            case "parent" -> Optional.of(info.parent());
            case "labels" -> entry(info.labels(), path);
            default -> Optional.empty();
        };
    }

    /** The fields of a blob: digest, size, labels. */
    static Fields of(ContentInfo info) {
        return path -> switch (path.getFirst()) {
            case "digest" -> Optional.of(info.digest().toString());
            case "size" -> Optional.of(Long.toString(info.size()));
            case "labels" -> entry(info.labels(), path);
            default -> Optional.empty();
        };
    }

    /** The field of an ingest: ref. */
    static Fields of(IngestStatus status) {
        return path -> path.getFirst().equals("ref") ? Optional.of(status.ref()) : Optional.empty();
    }

    /** The entry of {@code map} that the rest of {@code path} names, whose own dots may have been written unquoted. */
    static Optional<String> entry(Map<String, String> map, List<String> path) {
        return Optional.ofNullable(map.get(String.join(".", path.subList(1, path.size()))));
    }

    /** The value if it is not empty: an unset field counts as missing. */
    static Optional<String> set(String value) {
        return Optional.of(value).filter(text -> !text.isEmpty());
    }
}
