package dev.longshore.transport.serve;

import dev.longshore.api.types.Descriptor;
import dev.longshore.sdk.digest.Digest;

/** Descriptors on the wire and off it. */
public final class DescriptorProtos {

    private DescriptorProtos() {}

    public static Descriptor proto(dev.longshore.sdk.oci.Descriptor descriptor) {
        return Descriptor.newBuilder()
                .setMediaType(descriptor.mediaType())
                .setDigest(descriptor.digest().toString())
                .setSize(descriptor.size())
                .putAllAnnotations(descriptor.annotations())
                .build();
    }

    public static dev.longshore.sdk.oci.Descriptor record(Descriptor descriptor) {
        return new dev.longshore.sdk.oci.Descriptor(
                descriptor.getMediaType(),
                Digest.parse(descriptor.getDigest()),
                descriptor.getSize(),
                descriptor.getAnnotationsMap());
    }
}
