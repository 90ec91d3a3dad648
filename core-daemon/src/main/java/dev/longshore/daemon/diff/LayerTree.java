package dev.longshore.daemon.diff;

import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.linux.OpenFile;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.sdk.tar.ByteStrings;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;

/** A mounted tree that is read; names are as in {@link LayerNames}. For one thread. */
final class LayerTree implements AutoCloseable {

    private static final String SELINUX = "security.selinux";

    private final Folder root;

    /** The folder that was used last: what comes next is likely in the same. */
    private String lastName = "";

    private Optional<Folder> last = Optional.empty();

    LayerTree(Path root) throws ErrnoException {
        this.root = Folder.open(root);
    }

    private Folder folder(String name) throws ErrnoException {
        if (name.isEmpty()) {
            return root;
        }
        if (last.isPresent() && lastName.equals(name)) {
            return last.get();
        }
        Folder folder = root.inRoot(ByteStrings.bytes(name));
        last.ifPresent(Folder::close);
        last = Optional.of(folder);
        lastName = name;
        return folder;
    }

    private Folder parent(String name) throws ErrnoException {
        return folder(LayerNames.parent(name));
    }

    private static byte[] base(String name) {
        return ByteStrings.bytes(LayerNames.base(name));
    }

    /** The names in a folder, without their folder. */
    SortedSet<String> names(String name) throws ErrnoException {
        SortedSet<String> names = new TreeSet<>();
        try (Folder folder = root.inRoot(ByteStrings.bytes(name.isEmpty() ? "." : name))) {
            for (Folder.Entry entry : folder.entries()) {
                names.add(ByteStrings.of(entry.name()));
            }
        }
        return names;
    }

    FileStat stat(String name) throws ErrnoException {
        return parent(name).stat(base(name));
    }

    /** The target, as a byte string. */
    String symbolicLink(String name) throws ErrnoException {
        return ByteStrings.of(parent(name).readSymbolicLink(base(name)));
    }

    OpenFile open(String name) throws ErrnoException {
        return parent(name).openFile(base(name));
    }

    /** The attributes that belong to the file and not to this mount of it, as byte strings. */
    Map<String, String> xattrs(String name) throws ErrnoException {
        Folder folder = parent(name);
        byte[] base = base(name);
        Map<String, String> xattrs = new HashMap<>();
        for (byte[] attribute : Xattrs.list(folder, base)) {
            String key = ByteStrings.of(attribute);
            boolean foreign =
                    key.startsWith("trusted.overlay.") || key.startsWith("user.overlay.") || key.equals(SELINUX);
            if (!foreign) {
                Xattrs.get(folder, base, attribute).ifPresent(value -> xattrs.put(key, ByteStrings.of(value)));
            }
        }
        return xattrs;
    }

    @Override
    public void close() {
        last.ifPresent(Folder::close);
        root.close();
    }
}
