package dev.longshore.cli.image;

import static dev.longshore.transport.grpc.Unary.call;

import com.google.protobuf.FieldMask;
import dev.longshore.api.services.images.v1.CreateImageRequest;
import dev.longshore.api.services.images.v1.DeleteImageRequest;
import dev.longshore.api.services.images.v1.GetImageRequest;
import dev.longshore.api.services.images.v1.Image;
import dev.longshore.api.services.images.v1.ListImagesRequest;
import dev.longshore.api.services.images.v1.UpdateImageRequest;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.text.Progress;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/** The images of a daemon's namespace. */
public final class ImageStore {

    private final Daemon daemon;
    private final String snapshotter;

    public ImageStore(Daemon daemon, String snapshotter) {
        this.daemon = daemon;
        this.snapshotter = snapshotter;
    }

    /**
     * An image for this machine's platform.
     *
     * @param target what its name names, a manifest or an index
     */
    public record Resolved(String name, Descriptor target, Manifests.Manifest manifest, Manifests.Config config) {}

    /** Go's name of this machine's architecture, as platforms have it. */
    public static String architecture() {
        String machine = System.getProperty("os.arch", "");
        return switch (machine) {
            case "x86_64" -> "amd64";
            case "aarch64" -> "arm64";
            default -> machine;
        };
    }

    public List<Image> list() {
        return call(() -> daemon.images().list(ListImagesRequest.getDefaultInstance()))
                .getImagesList();
    }

    /** Removes the name, and waits until all that only it kept is gone. */
    public void remove(String name) {
        call(() -> daemon.images()
                .delete(DeleteImageRequest.newBuilder()
                        .setName(name)
                        .setSync(true)
                        .build()));
    }

    /**
     * Finds the image that a person means: by its name, or by a short form of it.
     *
     * @throws NotFoundException if there is none
     * @throws InvalidArgumentException if it is not for this machine
     */
    public Resolved resolve(String name) {
        Image image = find(name);
        Descriptor target = target(image);
        BlobStore store = new BlobStore(daemon);
        Descriptor manifest = manifestOf(store, target, image.getName(), 0);
        Manifests.Manifest parsed = Manifests.manifest(store.read(manifest), "manifest " + manifest.digest());
        Manifests.Config config = Manifests.config(
                store.read(parsed.config()), "configuration " + parsed.config().digest());
        return new Resolved(image.getName(), target, parsed, config);
    }

    /**
     * The full name of the image that a person means by {@code name}.
     *
     * @throws NotFoundException if there is none
     */
    public String nameOf(String name) {
        return find(name).getName();
    }

    /** What an image's name names. */
    static Descriptor target(Image image) {
        return new Descriptor(
                image.getTarget().getMediaType(),
                Digest.parse(image.getTarget().getDigest()),
                image.getTarget().getSize());
    }

    /** The image that a person means by {@code name}; see {@link #resolve}. */
    Image find(String name) {
        List<String> tried = new ArrayList<>();
        for (String candidate : candidates(name)) {
            try {
                return call(() -> daemon.images()
                                .get(GetImageRequest.newBuilder()
                                        .setName(candidate)
                                        .build()))
                        .getImage();
            } catch (NotFoundException e) {
                tried.add(candidate);
            }
        }
        throw new NotFoundException(
                "there is no image %s in the namespace %s: see longshore image ls, or import it with longshore image import"
                        .formatted(
                                String.join(" or ", tried), daemon.namespace().value()));
    }

    /** Names that a person may mean by {@code name}, the likeliest first. */
    static List<String> candidates(String name) {
        List<String> names = new ArrayList<>(List.of(name));
        String tagged = name.lastIndexOf(':') > name.lastIndexOf('/') || name.contains("@") ? name : name + ":latest";
        names.add(tagged);
        if (!name.contains("/")) {
            names.add("docker.io/library/" + tagged);
        } else if (!name.substring(0, name.indexOf('/')).matches(".*[.:].*|localhost")) {
            names.add("docker.io/" + tagged);
        }
        return names.stream().distinct().toList();
    }

    private static Descriptor manifestOf(BlobStore store, Descriptor target, String name, int depth) {
        if (Manifests.isManifest(target.mediaType())) {
            return target;
        }
        if (!Manifests.isIndex(target.mediaType()) || depth > 4) {
            throw new InvalidArgumentException(
                    "image %s is a %s, which cannot be run".formatted(name, target.mediaType()));
        }
        String architecture = architecture();
        for (Map<String, Object> entry : Manifests.index(store.read(target), "index " + target.digest())) {
            if (Manifests.matches(entry, "linux", architecture)) {
                return manifestOf(store, Manifests.descriptor(entry), name, depth + 1);
            }
        }
        throw new InvalidArgumentException("image %s is not for this machine, linux/%s".formatted(name, architecture));
    }

    /**
     * Reads an archive into the daemon's stores, names what is in it, and unpacks what is for this machine.
     *
     * @param baseName see {@link ImageArchive#open}
     * @return the names
     */
    public List<String> importArchive(Path file, String baseName, boolean unpack, Progress progress)
            throws IOException {
        try (ImageArchive archive = ImageArchive.open(file, baseName);
                Leased leased = new Leased(daemon)) {
            BlobStore store = new BlobStore(leased.daemon());
            List<Blob> blobs = archive.blobs();
            for (int i = 0; i < blobs.size(); i++) {
                progress.step("storing blob %d of %d".formatted(i + 1, blobs.size()));
                store.write(blobs.get(i), progress);
            }
            archive.images().forEach((name, target) -> name(leased.daemon(), name, target));
            if (unpack) {
                ImageStore images = new ImageStore(leased.daemon(), snapshotter);
                for (String name : archive.images().keySet()) {
                    images.unpack(name, progress);
                }
            }
            return List.copyOf(archive.images().keySet());
        }
    }

    /** Gives it a name, which may have been another's. */
    static void name(Daemon daemon, String name, Descriptor target) {
        Image image = Image.newBuilder()
                .setName(name)
                .setTarget(dev.longshore.api.types.Descriptor.newBuilder()
                        .setMediaType(target.mediaType())
                        .setDigest(target.digest().toString())
                        .setSize(target.size()))
                .build();
        try {
            call(() -> daemon.images()
                    .create(CreateImageRequest.newBuilder().setImage(image).build()));
        } catch (AlreadyExistsException e) {
            call(() -> daemon.images()
                    .update(UpdateImageRequest.newBuilder()
                            .setImage(image)
                            .setUpdateMask(FieldMask.newBuilder().addPaths("target"))
                            .build()));
        }
    }

    /** Unpacks an image, as far as it is not; this daemon's connection should have a lease. */
    public Resolved unpack(String name, Progress progress) {
        Resolved image = resolve(name);
        new Unpacker(daemon, snapshotter).unpack(image.manifest(), image.config(), progress);
        return image;
    }

    /** Bytes of an image for this machine, as stored; empty if it is not for this machine or not whole. */
    public OptionalLong size(String name) {
        try {
            Resolved image = resolve(name);
            return OptionalLong.of(image.manifest().config().size()
                    + image.manifest().layers().stream()
                            .mapToLong(Descriptor::size)
                            .sum());
        } catch (NotFoundException | InvalidArgumentException e) {
            return OptionalLong.empty();
        }
    }
}
