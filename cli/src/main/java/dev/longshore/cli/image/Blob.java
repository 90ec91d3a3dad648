package dev.longshore.cli.image;

import dev.longshore.sdk.oci.Descriptor;
import java.io.IOException;
import java.io.InputStream;
import java.util.Map;

/**
 * Something to be stored.
 *
 * @param descriptor what it must turn out to be
 * @param labels references to what it refers to, so that it is kept with it
 * @param source where its bytes come from
 */
record Blob(Descriptor descriptor, Map<String, String> labels, Source source) {

    Blob {
        labels = Map.copyOf(labels);
    }

    /** Opens the bytes from {@code skip} on. */
    interface Source {
        InputStream open(long skip) throws IOException;
    }
}
