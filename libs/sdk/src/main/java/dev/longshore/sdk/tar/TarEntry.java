package dev.longshore.sdk.tar;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One entry of an archive, without its content. All strings are byte strings, see {@link ByteStrings}.
 *
 * @param name as in the archive; nothing about it is checked but its length
 * @param linkName target of a symlink (any text) or hard link (a name of the archive); empty for the others
 * @param size bytes of the file, with the holes of a sparse one; 0 for all but files
 * @param mode permission, set-id and sticky bits, 07777
 * @param userName often empty
 * @param groupName often empty
 * @param accessed if the archive says it
 * @param deviceMajor of devices
 * @param deviceMinor of devices
 * @param xattrs extended attributes by name, from {@code SCHILY.xattr.} and {@code LIBARCHIVE.xattr.} records; unmodifiable
 * @param records the other PAX records that the reader does not act on; unmodifiable
 */
public record TarEntry(
        EntryType type,
        String name,
        String linkName,
        long size,
        int mode,
        long uid,
        long gid,
        String userName,
        String groupName,
        Instant modified,
        Optional<Instant> accessed,
        long deviceMajor,
        long deviceMinor,
        Map<String, String> xattrs,
        Map<String, String> records) {

    public TarEntry {
        xattrs = Map.copyOf(xattrs);
        records = Map.copyOf(records);
    }

    /** Starts an entry of mode 0644 (0755 for directories), owned by root, of the time 0. */
    public static Builder builder(EntryType type, String name) {
        return new Builder(type, name);
    }

    /** Puts an entry together. */
    public static final class Builder {

        private final EntryType type;
        private final String name;
        private String linkName = "";
        private long size;
        private int mode;
        private long uid;
        private long gid;
        private String userName = "";
        private String groupName = "";
        private Instant modified = Instant.EPOCH;
        private Optional<Instant> accessed = Optional.empty();
        private long deviceMajor;
        private long deviceMinor;
        private final Map<String, String> xattrs = new LinkedHashMap<>();
        private final Map<String, String> records = new LinkedHashMap<>();

        private Builder(EntryType type, String name) {
            this.type = type;
            this.name = name;
            this.mode = type == EntryType.DIRECTORY ? 0755 : 0644;
        }

        public Builder linkName(String value) {
            linkName = value;
            return this;
        }

        /** Bytes. */
        public Builder size(long value) {
            size = value;
            return this;
        }

        public Builder mode(int value) {
            mode = value;
            return this;
        }

        public Builder owner(long uid, long gid) {
            this.uid = uid;
            this.gid = gid;
            return this;
        }

        public Builder ownerNames(String user, String group) {
            userName = user;
            groupName = group;
            return this;
        }

        public Builder modified(Instant value) {
            modified = value;
            return this;
        }

        public Builder accessed(Instant value) {
            accessed = Optional.of(value);
            return this;
        }

        public Builder device(long major, long minor) {
            deviceMajor = major;
            deviceMinor = minor;
            return this;
        }

        public Builder xattr(String attribute, String value) {
            xattrs.put(attribute, value);
            return this;
        }

        public Builder record(String key, String value) {
            records.put(key, value);
            return this;
        }

        public TarEntry build() {
            return new TarEntry(
                    type,
                    name,
                    linkName,
                    size,
                    mode,
                    uid,
                    gid,
                    userName,
                    groupName,
                    modified,
                    accessed,
                    deviceMajor,
                    deviceMinor,
                    xattrs,
                    records);
        }
    }
}
