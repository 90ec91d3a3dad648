package dev.longshore.examples.copy;

import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;

/** What is known of a snapshot, in a file of its own: a snapshot exists if and only if its file does. */
record SnapshotFile(Path folder, SnapshotInfo info) {

    private static final String NAME = "snapshot.json";

    /** The snapshot's files. */
    Path files() {
        return folder.resolve("fs");
    }

    static boolean exists(Path folder) {
        return Files.exists(folder.resolve(NAME));
    }

    static SnapshotFile read(Path folder) throws IOException {
        Path file = folder.resolve(NAME);
        Map<String, Object> object = Json.object(Files.readAllBytes(file), file.toString());
        Map<String, String> labels = new HashMap<>();
        Json.object(object, "labels").forEach((key, value) -> labels.put(key, value.toString()));
        return new SnapshotFile(
                folder,
                new SnapshotInfo(
                        Kind.valueOf(Json.string(object, "kind")),
                        Json.string(object, "name"),
                        Json.string(object, "parent"),
                        labels,
                        Instant.parse(Json.string(object, "created")),
                        Instant.parse(Json.string(object, "updated"))));
    }

    /** On disk when it returns, as a whole or not at all. */
    void write() throws IOException {
        DurableFiles.write(
                folder.resolve(NAME),
                Json.bytes(Map.of(
                        "kind", info.kind().name(),
                        "name", info.name(),
                        "parent", info.parent(),
                        "labels", info.labels(),
                        "created", info.created().toString(),
                        "updated", info.updated().toString())));
    }

    void delete() throws IOException {
        Files.delete(folder.resolve(NAME));
        DurableFiles.syncFolder(folder);
    }
}
