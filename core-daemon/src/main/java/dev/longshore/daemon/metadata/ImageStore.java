package dev.longshore.daemon.metadata;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.AlreadyExistsException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.label.Labels;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.oci.Descriptor;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Clock;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The images of all namespaces. */
public final class ImageStore {

    private final Database database;
    private final Clock clock;

    ImageStore(Database database, Clock clock) {
        this.database = database;
        this.clock = clock;
    }

    /** @throws NotFoundException if there is no such image */
    public Image get(NamespaceId namespace, String name) {
        return database.read(tx -> get(tx, namespace, name));
    }

    private static Image get(Tx tx, NamespaceId namespace, String name) throws SQLException {
        return tx.first(
                        "SELECT * FROM image WHERE namespace = ? AND name = ?",
                        ImageStore::image,
                        namespace.value(),
                        name)
                .orElseThrow(() -> missing(name));
    }

    private static Image image(ResultSet row) throws SQLException {
        return new Image(
                row.getString("name"),
                new Descriptor(
                        row.getString("media_type"),
                        Digest.parse(row.getString("digest")),
                        row.getLong("size"),
                        TextMap.read(row.getString("annotations"))),
                TextMap.read(row.getString("labels")),
                Tx.instant(row, "created"),
                Tx.instant(row, "updated"));
    }

    /** The images that one of the filters takes, over name, target and labels, by name. */
    public List<Image> list(NamespaceId namespace, List<String> filters) {
        Filter filter = Filter.any(filters);
        return database
                .read(tx -> tx.query(
                        "SELECT * FROM image WHERE namespace = ? ORDER BY name", ImageStore::image, namespace.value()))
                .stream()
                .filter(image -> filter.matches(fields(image)))
                .toList();
    }

    private static Fields fields(Image image) {
        return path -> switch (path.getFirst()) {
            case "name" -> Fields.set(image.name());
            case "target" ->
                switch (path.size() > 1 ? path.get(1) : "") {
                    case "digest" -> Optional.of(image.target().digest().toString());
                    case "mediatype" -> Fields.set(image.target().mediaType());
                    default -> Optional.empty();
                };
            case "labels" -> Fields.entry(image.labels(), path);
            case "annotations" -> Fields.entry(image.target().annotations(), path);
            default -> Optional.empty();
        };
    }

    /**
     * Gives a name to a descriptor; times of the record are not looked at.
     *
     * @throws AlreadyExistsException if the name is taken
     */
    public Image create(CallContext context, Image image) {
        NamespaceId namespace = context.requireNamespace();
        validate(image);
        var now = clock.instant();
        Image created = new Image(image.name(), image.target(), image.labels(), now, now);
        return database.write(tx -> {
            Namespaces.ensure(tx, namespace);
            lease(tx, context, image);
            if (tx.exists("SELECT 1 FROM image WHERE namespace = ? AND name = ?", namespace.value(), image.name())) {
                throw new AlreadyExistsException("image \"%s\"".formatted(image.name()));
            }
            put(tx, namespace, created);
            return created;
        });
    }

    /** Has the lease of the call keep an image that can expire; any other keeps itself. */
    private static void lease(Tx tx, CallContext context, Image image) throws SQLException {
        if (image.labels().containsKey(LeaseStore.EXPIRE)) {
            LeaseStore.addFromContext(tx, context, new LeaseResource(LeaseResource.IMAGES, image.name()));
        }
    }

    /**
     * Changes an image.
     *
     * @param paths {@code target}, {@code labels}, {@code labels.<key>}, {@code annotations}, {@code annotations.<key>};
     *     empty for everything
     */
    public Image update(CallContext context, Image wanted, List<String> paths) {
        NamespaceId namespace = context.requireNamespace();
        if (wanted.name().isEmpty()) {
            throw new InvalidArgumentException("an image name is required for an update");
        }
        return database.write(tx -> {
            Image current = get(tx, namespace, wanted.name());
            Descriptor target = current.target();
            Map<String, String> labels = current.labels();
            for (String path : paths.isEmpty() ? List.of("target", "labels") : paths) {
                if (path.equals("target")) {
                    target = wanted.target();
                } else if (path.equals("labels") || path.startsWith("labels.")) {
                    labels = Labels.update(labels, wanted.labels(), List.of(path));
                } else if (path.equals("annotations")) {
                    target = withAnnotations(target, wanted.target().annotations());
                } else if (path.startsWith("annotations.")) {
                    String key = path.substring("annotations.".length());
                    Map<String, String> annotations = new HashMap<>(target.annotations());
                    annotations.put(key, wanted.target().annotations().getOrDefault(key, ""));
                    target = withAnnotations(target, annotations);
                } else {
                    throw new InvalidArgumentException(
                            "field %s of image \"%s\" cannot be updated: only target, labels and annotations can"
                                    .formatted(path, wanted.name()));
                }
            }
            Image updated = new Image(wanted.name(), target, labels, current.created(), clock.instant());
            validate(updated);
            lease(tx, context, updated);
            put(tx, namespace, updated);
            tx.leavesGarbage();
            return updated;
        });
    }

    private static Descriptor withAnnotations(Descriptor target, Map<String, String> annotations) {
        return new Descriptor(target.mediaType(), target.digest(), target.size(), annotations);
    }

    /**
     * Removes a name.
     *
     * @param target removes it only while it names this digest
     * @return what it named
     * @throws NotFoundException if there is no such image, or it names another digest
     */
    public Image delete(NamespaceId namespace, String name, Optional<Digest> target) {
        return database.write(tx -> {
            Image image = get(tx, namespace, name);
            if (target.isPresent() && !target.get().equals(image.target().digest())) {
                throw new NotFoundException("image \"%s\" names %s, not %s"
                        .formatted(name, image.target().digest(), target.get()));
            }
            tx.update("DELETE FROM image WHERE namespace = ? AND name = ?", namespace.value(), name);
            LeaseStore.drop(tx, namespace, new LeaseResource(LeaseResource.IMAGES, name));
            tx.leavesGarbage();
            return image;
        });
    }

    private static void put(Tx tx, NamespaceId namespace, Image image) throws SQLException {
        tx.update(
                """
                INSERT OR REPLACE INTO image
                    (namespace, name, media_type, digest, size, annotations, labels, created, updated)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                namespace.value(),
                image.name(),
                image.target().mediaType(),
                image.target().digest().toString(),
                image.target().size(),
                TextMap.write(image.target().annotations()),
                TextMap.write(image.labels()),
                image.created(),
                image.updated());
    }

    private static void validate(Image image) {
        if (image.name().isEmpty()) {
            throw new InvalidArgumentException("the name of an image must not be empty");
        }
        Labels.check(image.labels());
        Labels.check(image.target().annotations());
        if (image.target().size() <= 0) {
            throw new InvalidArgumentException("the target of image \"%s\" must have a size above 0, not %d"
                    .formatted(image.name(), image.target().size()));
        }
        if (image.target().mediaType().isEmpty()) {
            throw new InvalidArgumentException(
                    "the target of image \"%s\" must have a media type".formatted(image.name()));
        }
    }

    private static NotFoundException missing(String name) {
        return new NotFoundException("image \"%s\"".formatted(name));
    }
}
