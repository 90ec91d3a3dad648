package dev.longshore.deploy;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What somebody makes of an image who has the registry but no key: other bytes in a layer, and digests that fit. */
final class ForgedLayout {

    private ForgedLayout() {}

    /**
     * Flips a bit in the middle of the only layer of an OCI layout. In counter mode that flips one bit of what is decrypted, so that a
     * tar stays a tar.
     */
    static Path of(Path layout) throws IOException {
        Path blobs = layout.resolve("blobs/sha256");
        Path index = layout.resolve("index.json");
        Descriptor manifest =
                Manifests.descriptor(Json.objects(Json.object(Files.readAllBytes(index), "index"), "manifests")
                        .getFirst());
        Path manifestFile = blobs.resolve(manifest.digest().hex());
        Descriptor layer = Manifests.manifest(Files.readAllBytes(manifestFile), "manifest")
                .layers()
                .getFirst();
        byte[] bytes = Files.readAllBytes(blobs.resolve(layer.digest().hex()));
        bytes[bytes.length / 2] ^= 1;
        Digest forged = Digest.sha256(bytes);
        Files.write(blobs.resolve(forged.hex()), bytes);
        Files.delete(blobs.resolve(layer.digest().hex()));
        replace(manifestFile, layer.digest(), forged);
        Digest other = Digest.sha256(Files.readAllBytes(manifestFile));
        Files.move(manifestFile, blobs.resolve(other.hex()));
        replace(index, manifest.digest(), other);
        return layout;
    }

    private static void replace(Path file, Digest old, Digest with) throws IOException {
        Files.writeString(file, Files.readString(file).replace(old.hex(), with.hex()));
    }
}
