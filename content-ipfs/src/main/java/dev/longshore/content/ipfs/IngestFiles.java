package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.IpfsLayout.Ingest;
import dev.longshore.sdk.content.IngestStatus;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The files of ingests. An ingest has the bytes that were written to it, and a file that says what it is; the latter is made last. Nothing
 * of them is synced before the writer is closed: until then nothing has been acknowledged that a power cut could take.
 */
record IngestFiles(IpfsLayout layout) {

    /** Drops what a crash left half made, and takes up again what was being committed. */
    void recover() throws IOException {
        for (Path file : list()) {
            String name = file.getFileName().toString();
            int commit = name.indexOf(IpfsLayout.COMMIT);
            if (commit > 0) {
                long size = Long.parseLong(name.substring(commit + IpfsLayout.COMMIT.length()));
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.truncate(size);
                }
                Files.move(file, file.resolveSibling(name.substring(0, commit) + IpfsLayout.DATA));
            }
        }
        for (Path file : list()) {
            String name = file.getFileName().toString();
            boolean data = name.endsWith(IpfsLayout.DATA);
            String own = data ? IpfsLayout.DATA : IpfsLayout.REF;
            Path other = file.resolveSibling(name.replace(own, data ? IpfsLayout.REF : IpfsLayout.DATA));
            if (name.endsWith(own)
                    && (!Files.exists(other) || (!data && read(file).isEmpty()))) {
                Files.deleteIfExists(file);
                Files.deleteIfExists(other);
            }
        }
    }

    private List<Path> list() throws IOException {
        try (Stream<Path> files = Files.list(layout.ingests())) {
            return files.toList();
        }
    }

    /** Makes an ingest. */
    void begin(Ingest ingest, String ref, long total, Instant now) throws IOException {
        Files.createFile(ingest.data());
        Files.writeString(ingest.ref(), now + "\n" + total + "\n" + ref);
    }

    void remove(Ingest ingest) throws IOException {
        Files.deleteIfExists(ingest.ref());
        Files.deleteIfExists(ingest.data());
    }

    Optional<IngestStatus> find(Ingest ingest) {
        return read(ingest.ref());
    }

    List<IngestStatus> all() throws IOException {
        List<IngestStatus> statuses = new ArrayList<>();
        for (Path file : list()) {
            if (file.toString().endsWith(IpfsLayout.REF)) {
                read(file).ifPresent(statuses::add);
            }
        }
        return statuses;
    }

    /** Empty if there is no such ingest, or a crash left it before all of it was written. */
    private Optional<IngestStatus> read(Path file) {
        try {
            String[] lines = Files.readString(file).split("\n", 3);
            if (lines.length != 3) {
                return Optional.empty();
            }
            Ingest ingest = layout.ingest(lines[2]);
            if (!ingest.ref().equals(file)) {
                return Optional.empty();
            }
            BasicFileAttributes data = Files.readAttributes(ingest.data(), BasicFileAttributes.class);
            Instant started = Instant.parse(lines[0]);
            Instant modified = data.lastModifiedTime().toInstant();
            return Optional.of(new IngestStatus(
                    lines[2],
                    data.size(),
                    Long.parseLong(lines[1]),
                    Optional.empty(),
                    started,
                    modified.isAfter(started) ? modified : started));
        } catch (NoSuchFileException | MalformedInputException | DateTimeParseException | NumberFormatException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw new UncheckedIOException("reading ingest " + file, e);
        }
    }
}
