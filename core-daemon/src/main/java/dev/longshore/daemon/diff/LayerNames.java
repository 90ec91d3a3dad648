package dev.longshore.daemon.diff;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.tar.ByteStrings;
import java.util.ArrayList;
import java.util.List;

/** Names of files in layers, as byte strings: paths below a root, without a slash at either end; empty for the root itself. */
final class LayerNames {

    static final String WHITEOUT = ".wh.";
    static final String OPAQUE = ".wh..wh..opq";

    /** What aufs keeps for itself, but for {@link #OPAQUE}. */
    static final String WHITEOUT_META = ".wh..wh.";

    private LayerNames() {}

    /** The name without {@code .} and {@code ..}, as if the root were the root of everything. */
    static String clean(String name) {
        if (name.indexOf(0) >= 0) {
            throw new InvalidArgumentException("a file has a zero byte in its name");
        }
        List<String> parts = new ArrayList<>();
        for (String part : name.split("/", -1)) {
            if (part.equals("..")) {
                if (!parts.isEmpty()) {
                    parts.removeLast();
                }
            } else if (!part.isEmpty() && !part.equals(".")) {
                parts.add(part);
            }
        }
        return String.join("/", parts);
    }

    /** The folder that a file is in. */
    static String parent(String name) {
        int slash = name.lastIndexOf('/');
        return slash < 0 ? "" : name.substring(0, slash);
    }

    /** The last part. */
    static String base(String name) {
        return name.substring(name.lastIndexOf('/') + 1);
    }

    static String join(String folder, String base) {
        return folder.isEmpty() ? base : folder + "/" + base;
    }

    /** For messages. */
    static String text(String name) {
        return ByteStrings.text(name);
    }
}
