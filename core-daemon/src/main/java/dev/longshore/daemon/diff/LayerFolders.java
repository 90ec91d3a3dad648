package dev.longshore.daemon.diff;

import dev.longshore.daemon.diff.VisibleLayers.Found;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FileStat;
import dev.longshore.sdk.linux.Folder;
import dev.longshore.sdk.linux.Xattrs;
import dev.longshore.sdk.tar.ByteStrings;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The folders that a layer's entries are written into, looked up by the kernel inside of the root, so that no symbolic link, of this
 * layer or of one below, leads out. Those that are missing are made. A few are kept open.
 */
final class LayerFolders implements AutoCloseable {

    private static final int OPEN_FOLDERS = 64;

    /** Symbolic links to folders that are yet to be made, one leading to the other; the kernel's own limit on links. */
    private static final int MAX_LINKS = 40;

    private final LayerTarget target;
    private final VisibleLayers visible;
    private final Folder root;
    private final Map<String, Folder> open = new LinkedHashMap<>(16, 0.75f, true);
    private boolean stale;

    LayerFolders(LayerTarget target, VisibleLayers visible) throws ErrnoException {
        this.target = target;
        this.visible = visible;
        this.root = Folder.open(target.root());
    }

    /** The folder of that name, made if it is missing. Good until the next call but one, and never to be closed. */
    Folder get(String name) throws ErrnoException {
        Optional<Folder> known = known(name);
        return known.isPresent() ? known.get() : keep(name, openOrMake(name, 0));
    }

    /** The folder of that name, if there is one. Good as that of {@link #get}. */
    Optional<Folder> find(String name) throws ErrnoException {
        Optional<Folder> folder = known(name);
        if (folder.isEmpty()) {
            folder = openIfThere(name);
            if (folder.isPresent()) {
                keep(name, folder.get());
            }
        }
        return folder;
    }

    private Optional<Folder> known(String name) {
        if (stale) {
            stale = false;
            close(open);
        }
        return name.isEmpty() ? Optional.of(root) : Optional.ofNullable(open.get(name));
    }

    private Folder keep(String name, Folder folder) {
        open.put(name, folder);
        if (open.size() > OPEN_FOLDERS) {
            var eldest = open.entrySet().iterator();
            eldest.next().getValue().close();
            eldest.remove();
        }
        return folder;
    }

    private Optional<Folder> openIfThere(String name) throws ErrnoException {
        try {
            return Optional.of(root.inRoot(ByteStrings.bytes(name.isEmpty() ? "." : name)));
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENOTDIR) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private Folder openOrMake(String name, int links) throws ErrnoException {
        if (links > MAX_LINKS) {
            throw new InvalidArgumentException(
                    "folder \"%s\" is behind more than %d links".formatted(LayerNames.text(name), MAX_LINKS));
        }
        Optional<Folder> there = openIfThere(name);
        if (there.isPresent()) {
            return there.get();
        }
        // From the top, without recursion: trees may be deep. Below a folder that no layer had, no layer has anything.
        boolean below = target.overlay();
        for (int end = name.indexOf('/'); end >= 0; end = name.indexOf('/', end + 1)) {
            below = makeIfMissing(name.substring(0, end), links, below);
        }
        makeIfMissing(name, links, below);
        return root.inRoot(ByteStrings.bytes(name));
    }

    /** Whether there may be something below the folder in layers below; as {@code below} says of the folder itself. */
    private boolean makeIfMissing(String name, int links, boolean below) throws ErrnoException {
        Optional<Folder> there = openIfThere(name);
        if (there.isPresent()) {
            there.get().close();
            return below;
        }
        try (Folder parent = openIfThere(LayerNames.parent(name)).orElseThrow()) {
            byte[] base = ByteStrings.bytes(LayerNames.base(name));
            Optional<FileStat> instead = VisibleLayers.stat(parent, base);
            if (instead.isPresent() && instead.get().isSymbolicLink()) {
                String link = ByteStrings.of(parent.readSymbolicLink(base));
                String made = LayerNames.clean(link.startsWith("/") ? link : LayerNames.parent(name) + "/" + link);
                openOrMake(made, links + 1).close();
                return false; // which is not looked up behind links
            }
            if (instead.isPresent()) {
                replace(parent, base);
                return false;
            }
            return make(parent, base, below ? visible.find(name) : Optional.empty());
        }
    }

    /** Makes a folder where a file of this layer or a whiteout is, which hid what is below. */
    private void replace(Folder parent, byte[] base) throws ErrnoException {
        parent.removeFile(base);
        parent.makeFolder(base, 0700);
        if (target.overlay()) {
            hideLower(parent, base);
        }
        parent.chmod(base, 0755);
    }

    /** Makes a folder that the layer did not bring, like the one below that it stands for, if that is one. */
    private static boolean make(Folder parent, byte[] base, Optional<Found> below) throws ErrnoException {
        parent.makeFolder(base, 0700);
        if (below.isPresent()) {
            try (Found found = below.get()) {
                if (found.stat().isFolder()) {
                    parent.chown(base, found.stat().uid(), found.stat().gid());
                    parent.chmod(base, found.stat().permissions());
                    return true;
                }
            }
        }
        parent.chmod(base, 0755);
        return false;
    }

    /** Makes a folder of an overlay hide what layers below have in it. */
    void hideLower(Folder parent, byte[] base) throws ErrnoException {
        Xattrs.set(parent, base, ByteStrings.bytes(target.opaqueXattr()), new byte[] {'y'});
    }

    /** To be called when a folder or a symbolic link was removed: other names may have led through it. */
    void forget() {
        stale = true;
    }

    private static void close(Map<String, Folder> folders) {
        folders.values().forEach(Folder::close);
        folders.clear();
    }

    @Override
    public void close() {
        close(open);
        root.close();
    }
}
