package dev.longshore.daemon.transfer;

import dev.longshore.sdk.oci.Descriptor;
import java.util.List;
import java.util.Optional;

/**
 * What is told of a transfer under way, in containerd's words, which its clients draw bars from.
 *
 * @param event {@code waiting}, {@code downloading}, {@code uploading}, {@code complete}, {@code already exists}, {@code extracting},
 *     {@code extracted}, {@code saved}, or a line about the whole
 * @param name of the image or of the blob: its kind and digest
 * @param parents names of what refers to it
 * @param progress bytes done
 * @param total bytes in all; 0 if unknown
 */
public record Progress(
        String event, String name, List<String> parents, long progress, long total, Optional<Descriptor> descriptor) {

    public Progress {
        parents = List.copyOf(parents);
    }

    /** A line about the whole. */
    static Progress line(String event) {
        return new Progress(event, "", List.of(), 0, 0, Optional.empty());
    }

    /** About the image {@code name}. */
    static Progress image(String event, String name, Descriptor target) {
        return new Progress(event, name, List.of(), 0, 0, Optional.of(target));
    }
}
