package dev.longshore.estargz;

import dev.longshore.sdk.digest.Digest;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/**
 * One entry of a table of contents, as it stands there: nothing but its shape has been checked.
 *
 * @param name path in the layer
 * @param size bytes of a regular file; 0 for all others
 * @param linkName target of a symbolic or hard link; else empty
 * @param mode permissions with setuid, setgid and sticky bit, as in a tar header: 07777 at most
 * @param xattrs values are bytes; base64 in the JSON
 * @param digest of a regular file's whole content
 * @param offset where in the blob the compressed stream with this chunk begins
 * @param innerOffset where in that stream, uncompressed, the chunk's bytes begin
 * @param chunkOffset where in the file the chunk begins
 * @param chunkSize bytes of the chunk; 0 means up to the end of the file
 * @param chunkDigest of the chunk's uncompressed bytes
 */
public record TocEntry(
        String name,
        EntryType type,
        long size,
        Instant modTime,
        String linkName,
        int mode,
        int uid,
        int gid,
        String userName,
        String groupName,
        int devMajor,
        int devMinor,
        Map<String, byte[]> xattrs,
        Optional<Digest> digest,
        long offset,
        long innerOffset,
        long chunkOffset,
        long chunkSize,
        Optional<Digest> chunkDigest) {

    public TocEntry {
        xattrs = Map.copyOf(xattrs);
    }

    /** What the bytes of this chunk are verified with; a file that is one chunk has perhaps only its own digest. Empty if none. */
    public Optional<Digest> bytesDigest() {
        if (chunkDigest.isPresent()) {
            return chunkDigest;
        }
        boolean whole = type == EntryType.REG && (chunkSize == 0 || chunkSize == size);
        return whole ? digest : Optional.empty();
    }
}
