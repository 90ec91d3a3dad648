package dev.longshore.daemon.transfer;

import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.Codec;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.oci.Descriptor;
import java.util.Optional;

/**
 * An image in IPFS: the CID of a document that is the image's descriptor, whose {@code urls} say where the image is. It has been
 * made so by stargz-snapshotter and nerdctl first.
 */
public record IpfsImage(Cid cid) {

    private static final String SCHEME = "ipfs://";

    /** Whether a reference is of this kind, and not one of a registry. */
    public static boolean isReference(String reference) {
        return reference.startsWith(SCHEME);
    }

    /** @throws InvalidArgumentException if it is not {@code ipfs://} and a CID, or the CID is of a file in parts */
    public static IpfsImage parse(String reference) {
        if (!isReference(reference)) {
            throw new InvalidArgumentException("\"%.140s\" does not begin with ipfs://".formatted(reference));
        }
        IpfsImage image = new IpfsImage(Cid.parse(reference.substring(SCHEME.length())));
        if (image.cid.codec() != Codec.RAW || image.cid.digest().isEmpty()) {
            throw new InvalidArgumentException(
                    ("%s cannot be the descriptor of an image, which is one raw block: write the CID that longshore image push-ipfs or"
                                    + " nerdctl push ipfs:// printed, which begins with bafkrei")
                            .formatted(image));
        }
        return image;
    }

    /** Under which CID IPFS has the blob, if its descriptor says so. */
    static Optional<Cid> cid(Descriptor descriptor) {
        return descriptor.urls().stream()
                .filter(IpfsImage::isReference)
                .findFirst()
                .map(url -> Cid.parse(url.substring(SCHEME.length())));
    }

    /** Of the document. How large it is is not known: it comes as one block, and is what its digest says. */
    Descriptor document() {
        return new Descriptor("application/octet-stream", cid.digest().orElseThrow(), 0);
    }

    @Override
    public String toString() {
        return SCHEME + cid;
    }
}
