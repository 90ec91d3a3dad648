package dev.longshore.stargz.layer;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.oci.Reference;
import java.util.Optional;

/**
 * The name of an image with a layer.
 *
 * @param registry where registries have it; empty for names such as {@code ipfs://CID}, which no registry knows
 */
public record ImageName(String text, Optional<Reference> registry) {

    private static final String IPFS = "ipfs://";
    private static final int MAX_LENGTH = 1024;

    public ImageName {
        if (text.isEmpty() || text.length() > MAX_LENGTH) {
            throw new InvalidArgumentException(
                    "an image name has %d characters: it must be one to %d".formatted(text.length(), MAX_LENGTH));
        }
    }

    /** @throws InvalidArgumentException if it is neither the full name of an image in a registry nor {@code ipfs://CID} */
    public static ImageName parse(String text) {
        return new ImageName(text, text.startsWith(IPFS) ? Optional.empty() : Optional.of(Reference.parse(text)));
    }

    @Override
    public String toString() {
        return text;
    }
}
