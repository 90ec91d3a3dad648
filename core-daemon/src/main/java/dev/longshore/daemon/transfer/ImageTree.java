package dev.longshore.daemon.transfer;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.oci.Platform;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What an image consists of, as far as it is wanted. Documents are checked before anything that they refer to is looked at: size,
 * form, depth, number, and that none refers to itself.
 */
final class ImageTree {

    /** Indexes in indexes. */
    private static final int MAX_DEPTH = 4;

    /** Manifests of all indexes of an image together. */
    private static final int MAX_MANIFESTS = 1000;

    private final CallContext context;
    private final Blobs blobs;
    private final StoredImage wanted;
    private final Set<String> seen = new HashSet<>();

    /** Called for each document before it is read, so that it is there. */
    @FunctionalInterface
    interface Fetch<E extends Exception> {
        void fetch(Descriptor descriptor, Optional<Descriptor> parent) throws E;
    }

    /**
     * An image for one platform.
     *
     * @param wanted whether its layers are, and not just what describes it
     */
    record Leaf(Descriptor descriptor, Manifests.Manifest manifest, Platform platform, boolean wanted) {}

    ImageTree(CallContext context, Blobs blobs, StoredImage wanted) {
        this.context = context;
        this.blobs = blobs;
        this.wanted = wanted;
    }

    /**
     * The images below {@code root}. Labels every document with what it refers to, so that garbage collection keeps that.
     *
     * @throws NotFoundException if none is for a platform that is wanted
     */
    <E extends Exception> List<Leaf> walk(Descriptor root, Fetch<E> fetch) throws E {
        List<Leaf> leaves = new ArrayList<>();
        visit(root, Optional.empty(), 0, new Platform("", "", "", "", List.of()), fetch, leaves);
        if (leaves.stream().noneMatch(Leaf::wanted)) {
            throw new NotFoundException(
                    "image %s has no manifest for the platform %s".formatted(root.digest(), wanted.platforms()));
        }
        return leaves;
    }

    private <E extends Exception> void visit(
            Descriptor descriptor,
            Optional<Descriptor> parent,
            int depth,
            Platform platform,
            Fetch<E> fetch,
            List<Leaf> leaves)
            throws E {
        if (!seen.add(descriptor.digest().toString())) {
            return;
        }
        if (seen.size() > MAX_MANIFESTS) {
            throw new InvalidArgumentException(
                    "an image with more than %d manifests is refused".formatted(MAX_MANIFESTS));
        }
        String type = descriptor.mediaType();
        String what = "document " + descriptor.digest();
        if (Manifests.isIndex(type)) {
            if (depth >= MAX_DEPTH) {
                throw new InvalidArgumentException(
                        "%s: indexes are nested more than %d deep".formatted(what, MAX_DEPTH));
            }
            fetch.fetch(descriptor, parent);
            List<Child> children = children(Manifests.index(blobs.document(context, descriptor), what));
            List<Descriptor> taken = new ArrayList<>();
            for (Child child : children) {
                visit(child.descriptor, Optional.of(descriptor), depth + 1, child.platform, fetch, leaves);
                taken.add(child.descriptor);
            }
            blobs.label(context, descriptor.digest(), Manifests.references(taken));
        } else if (Manifests.isManifest(type)) {
            fetch.fetch(descriptor, parent);
            Manifests.Manifest manifest = Manifests.manifest(blobs.document(context, descriptor), what);
            fetch.fetch(manifest.config(), Optional.of(descriptor));
            Platform runsOn = platform.os().isEmpty() ? Platforms.of(configuration(manifest)) : platform;
            blobs.label(context, descriptor.digest(), Manifests.references(manifest));
            leaves.add(new Leaf(descriptor, manifest, runsOn, rank(runsOn) >= 0));
        } else {
            throw new InvalidArgumentException(
                    "%s has the media type \"%s\", which is not an image's".formatted(what, type));
        }
    }

    private Map<String, Object> configuration(Manifests.Manifest manifest) {
        String type = manifest.config().mediaType();
        if (!type.contains("image")) {
            return Map.of(); // an artifact's, of any form
        }
        return Json.object(
                blobs.document(context, manifest.config()),
                "configuration " + manifest.config().digest());
    }

    private record Child(Descriptor descriptor, Platform platform, int rank) {}

    /** Those of an index that are wanted, the best first. */
    private List<Child> children(List<Map<String, Object>> entries) {
        List<Child> children = new ArrayList<>();
        for (Map<String, Object> entry : entries) {
            Map<String, Object> stated = Json.object(entry, "platform");
            Platform platform = Platforms.of(stated);
            int rank = stated.isEmpty() ? 0 : rank(platform);
            if (rank >= 0 || wanted.allMetadata()) {
                children.add(new Child(Manifests.descriptor(entry), platform, rank < 0 ? Integer.MAX_VALUE : rank));
            }
        }
        children.sort(Comparator.comparingInt(Child::rank));
        int limit = wanted.manifestLimit();
        if (limit > 0 && children.size() > limit) {
            return children.subList(0, limit);
        }
        return children;
    }

    /** The place in the list of what is wanted, and how well it fits there; -1 if it is not wanted. */
    private int rank(Platform offered) {
        if (wanted.platforms().isEmpty() || offered.os().isEmpty()) {
            return 0;
        }
        for (int i = 0; i < wanted.platforms().size(); i++) {
            int rank = Platforms.rank(wanted.platforms().get(i), offered);
            if (rank >= 0) {
                return i * 100 + rank;
            }
        }
        return -1;
    }
}
