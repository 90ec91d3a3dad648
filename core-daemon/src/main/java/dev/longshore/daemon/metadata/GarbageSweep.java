package dev.longshore.daemon.metadata;

import dev.longshore.sdk.config.GoDuration;
import dev.longshore.sdk.namespace.NamespaceId;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Deletes the rows that nothing refers to, in one transaction: whatever a client makes before or after it is seen whole.
 * What the rows stood for is removed at the backends afterwards.
 *
 * <p>Roots are leases, images, containers, ingests that have not expired, what is under way, and what is labeled {@code
 * containerd.io/gc.root}. References are an image's target, a snapshot's parent, a container's snapshot, and the labels {@code
 * gc.ref.*} (forward), {@code gc.bref.*} (backward) and {@code gc.cond.snapshot} (backward while a condition holds).
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/docs/garbage-collection.md">garbage collection</a>
 */
public final class GarbageSweep {

    private static final String PREFIX = "containerd.io/gc.";
    private static final String ROOT = PREFIX + "root";
    private static final String FLAT = PREFIX + "flat";
    private static final String REF = PREFIX + "ref.";
    private static final String BACK_REF = PREFIX + "bref.";
    private static final String CONDITIONAL_SNAPSHOT = PREFIX + "cond.snapshot";
    private static final String USED_AT = PREFIX + "cond.value-usedat";

    private final Database database;
    private final Clock clock;

    /** An image that was removed because its time had passed. */
    public record RemovedImage(NamespaceId namespace, String name) {}

    /** What a sweep deleted. */
    public record Swept(int snapshots, int blobs, int leases, int ingests, List<RemovedImage> images) {}

    GarbageSweep(Database database, Clock clock) {
        this.database = database;
        this.clock = clock;
    }

    /** Marks and sweeps. */
    public Swept run() {
        return database.write(tx -> new Run(tx, clock.instant()).run());
    }

    private enum Type {
        LEASE,
        CONTENT,
        SNAPSHOT,
        IMAGE,
        CONTAINER,
        INGEST
    }

    /**
     * An object. A flat one keeps itself and its parents, not what labels refer to or what refers to it.
     *
     * @param key of a snapshot: {@code <snapshotter>/<name>}
     */
    private record Node(Type type, String namespace, String key, boolean flat) {

        Node(Type type, String namespace, String key) {
            this(type, namespace, key, false);
        }

        Node unflat() {
            return new Node(type, namespace, key);
        }
    }

    private static final class Run {

        private final Tx tx;
        private final Instant now;

        /** Every object, with what it refers to. */
        private final Map<Node, List<Node>> forward = new HashMap<>();

        /** What a flat reference to an object keeps besides it. */
        private final Map<Node, List<Node>> structure = new HashMap<>();

        private final Map<Node, List<Node>> backward = new HashMap<>();
        private final Deque<Node> reached = new ArrayDeque<>();
        private final Set<Node> marked = new HashSet<>();
        private final Map<Node, Instant> usedAt = new HashMap<>();
        private final List<Condition> conditions = new ArrayList<>();

        private record Condition(Node snapshot, Node from, String text) {}

        Run(Tx tx, Instant now) {
            this.tx = tx;
            this.now = now;
        }

        Swept run() throws SQLException {
            readImages();
            readContent();
            readSnapshots();
            readContainers();
            readIngests();
            readLeases();
            conditions.stream().filter(this::holds).forEach(met -> backReference(met.snapshot, met.from));
            mark();
            return sweep();
        }

        private void readImages() throws SQLException {
            tx.query("SELECT namespace, name, digest, labels FROM image", row -> {
                Node image = new Node(Type.IMAGE, row.getString(1), row.getString(2));
                Map<String, String> labels = TextMap.read(row.getString(4));
                add(image, labels);
                refer(image, new Node(Type.CONTENT, image.namespace, row.getString(3)), true);
                boolean expired = LeaseStore.expiry(labels).filter(now::isAfter).isPresent();
                if (!expired) {
                    reached.add(image);
                }
                return true;
            });
        }

        private void readContent() throws SQLException {
            tx.query("SELECT namespace, digest, labels FROM blob", row -> {
                Node blob = new Node(Type.CONTENT, row.getString(1), row.getString(2));
                Map<String, String> labels = TextMap.read(row.getString(3));
                add(blob, labels);
                rootByLabel(blob, labels);
                return true;
            });
        }

        private void readSnapshots() throws SQLException {
            tx.query("SELECT namespace, snapshotter, name, parent, state, source, labels FROM snapshot", row -> {
                String namespace = row.getString(1);
                String snapshotter = row.getString(2);
                Node snapshot = snapshot(namespace, snapshotter, row.getString(3));
                Map<String, String> labels = TextMap.read(row.getString(7));
                add(snapshot, labels);
                if (!row.getString(4).isEmpty()) {
                    refer(snapshot, snapshot(namespace, snapshotter, row.getString(4)), true);
                }
                if (!row.getString(6).isEmpty()) {
                    refer(snapshot, snapshot(namespace, snapshotter, row.getString(6)), true);
                }
                if (!row.getString(5).equals("ready")) {
                    reached.add(snapshot); // somebody is at it
                }
                rootByLabel(snapshot, labels);
                time(labels.get(USED_AT)).ifPresent(instant -> usedAt.put(snapshot, instant));
                return true;
            });
        }

        private void readContainers() throws SQLException {
            tx.query("SELECT namespace, id, snapshotter, snapshot_key, labels FROM container", row -> {
                Node container = new Node(Type.CONTAINER, row.getString(1), row.getString(2));
                add(container, TextMap.read(row.getString(5)));
                if (!row.getString(3).isEmpty()) {
                    refer(container, snapshot(container.namespace, row.getString(3), row.getString(4)), true);
                }
                reached.add(container);
                return true;
            });
        }

        private void readIngests() throws SQLException {
            tx.query("SELECT namespace, ref, expected, expires FROM ingest", row -> {
                Node ingest = new Node(Type.INGEST, row.getString(1), row.getString(2));
                add(ingest, Map.of());
                if (!row.getString(3).isEmpty()) {
                    refer(ingest, new Node(Type.CONTENT, ingest.namespace, row.getString(3)), true);
                }
                boolean alive = !row.getString(4).isEmpty()
                        && Instant.parse(row.getString(4)).isAfter(now);
                if (alive) {
                    reached.add(ingest);
                }
                return true;
            });
        }

        private void readLeases() throws SQLException {
            Map<Node, Boolean> alive = new HashMap<>();
            tx.query("SELECT namespace, id, labels FROM lease", row -> {
                Node lease = new Node(Type.LEASE, row.getString(1), row.getString(2));
                Map<String, String> labels = TextMap.read(row.getString(3));
                add(lease, Map.of());
                if (LeaseStore.expiry(labels).filter(now::isAfter).isEmpty()) {
                    reached.add(lease);
                    alive.put(lease, labels.containsKey(FLAT));
                }
                return true;
            });
            tx.query("SELECT namespace, lease, type, id FROM lease_resource", row -> {
                Boolean flat = alive.get(new Node(Type.LEASE, row.getString(1), row.getString(2)));
                if (flat != null) {
                    reached.add(resource(row.getString(1), row.getString(3), row.getString(4), flat));
                }
                return true;
            });
        }

        private static Node resource(String namespace, String type, String id, boolean flat) {
            return switch (type) {
                case LeaseResource.CONTENT -> new Node(Type.CONTENT, namespace, id, flat);
                case LeaseResource.INGESTS -> new Node(Type.INGEST, namespace, id, flat);
                case LeaseResource.IMAGES -> new Node(Type.IMAGE, namespace, id, flat);
                default ->
                    new Node(
                            Type.SNAPSHOT,
                            namespace,
                            type.substring(LeaseResource.SNAPSHOTS.length()) + "/" + id,
                            flat);
            };
        }

        private static Node snapshot(String namespace, String snapshotter, String name) {
            return new Node(Type.SNAPSHOT, namespace, snapshotter + "/" + name);
        }

        private void add(Node node, Map<String, String> labels) {
            forward.computeIfAbsent(node, key -> new ArrayList<>());
            labels.forEach((label, value) -> {
                if (label.startsWith(REF)) {
                    target(node.namespace, label.substring(REF.length()), value, false)
                            .ifPresent(target -> refer(node, target, false));
                } else if (label.startsWith(BACK_REF)) {
                    target(node.namespace, label.substring(BACK_REF.length()), value, true)
                            .ifPresent(target -> backReference(target, node));
                } else if (label.startsWith(CONDITIONAL_SNAPSHOT)
                        && (node.type == Type.IMAGE || node.type == Type.CONTENT)) {
                    int bar = value.indexOf('|');
                    if (bar > 0) {
                        String snapshotter = upTo(
                                label.substring(CONDITIONAL_SNAPSHOT.length()).replaceFirst("^[./]+", ""), "/");
                        conditions.add(new Condition(
                                snapshot(node.namespace, snapshotter, value.substring(bar + 1)),
                                node,
                                value.substring(0, bar)));
                    }
                }
            });
        }

        private void rootByLabel(Node node, Map<String, String> labels) {
            boolean kept = LeaseStore.expiry(labels).filter(now::isBefore).isPresent();
            boolean root = labels.keySet().stream().anyMatch(label -> label.startsWith(ROOT));
            if (root || kept) {
                reached.add(node);
            }
        }

        /** What a label refers to: {@code content[./suffix]}, {@code image[./suffix]}, {@code snapshot.<name>[/suffix]}. */
        private static Optional<Node> target(String namespace, String kind, String value, boolean containers) {
            String type = upTo(kind, "./");
            return Optional.ofNullable(
                    switch (type) {
                        case "content" -> new Node(Type.CONTENT, namespace, value);
                        case "image" -> new Node(Type.IMAGE, namespace, value);
                        case "container" -> containers ? new Node(Type.CONTAINER, namespace, value) : null;
                        case "snapshot" ->
                            kind.length() > type.length() + 1 && kind.charAt(type.length()) == '.'
                                    ? snapshot(namespace, upTo(kind.substring(type.length() + 1), "/"), value)
                                    : null;
                        default -> null;
                    });
        }

        private static String upTo(String text, String separators) {
            for (int i = 0; i < text.length(); i++) {
                if (separators.indexOf(text.charAt(i)) >= 0) {
                    return text.substring(0, i);
                }
            }
            return text;
        }

        private void refer(Node from, Node to, boolean structural) {
            forward.computeIfAbsent(from, key -> new ArrayList<>()).add(to);
            if (structural) {
                structure.computeIfAbsent(from, key -> new ArrayList<>()).add(to);
            }
        }

        /** {@code parent} keeps {@code child} because the child says so. */
        private void backReference(Node parent, Node child) {
            backward.computeIfAbsent(parent, key -> new ArrayList<>()).add(child);
        }

        /** {@code usedat<DURATION} or {@code usedat>DURATION}, several with commas between: one is enough. */
        private boolean holds(Condition condition) {
            Instant used = usedAt.get(condition.snapshot);
            if (used == null) {
                return false;
            }
            for (String part : condition.text.split(",", -1)) {
                Optional<Duration> limit = part.length() > 7 && part.startsWith("usedat")
                        ? GoDuration.parse(part.substring(7))
                        : Optional.empty();
                if (limit.isPresent()) {
                    Duration age = Duration.between(used, now);
                    int compared = age.compareTo(limit.get());
                    if ((part.charAt(6) == '<' && compared < 0) || (part.charAt(6) == '>' && compared > 0)) {
                        return true;
                    }
                }
            }
            return false;
        }

        private static Optional<Instant> time(@Nullable String text) {
            try {
                return text == null
                        ? Optional.empty()
                        : Optional.of(OffsetDateTime.parse(text).toInstant());
            } catch (DateTimeParseException e) {
                return Optional.empty();
            }
        }

        private void mark() {
            while (!reached.isEmpty()) {
                Node node = reached.pop();
                if (!marked.add(node)) {
                    continue;
                }
                Node plain = node.unflat();
                if (node.flat) {
                    structure
                            .getOrDefault(plain, List.of())
                            .forEach(next -> reached.add(new Node(next.type, next.namespace, next.key, true)));
                } else {
                    reached.addAll(backward.getOrDefault(node, List.of()));
                    reached.addAll(forward.getOrDefault(node, List.of()));
                }
            }
        }

        private Swept sweep() throws SQLException {
            int snapshots = 0;
            int blobs = 0;
            int leases = 0;
            int ingests = 0;
            List<RemovedImage> images = new ArrayList<>();
            for (Node node : forward.keySet()) {
                if (marked.contains(node) || marked.contains(new Node(node.type, node.namespace, node.key, true))) {
                    continue;
                }
                switch (node.type) {
                    case LEASE -> leases += delete("lease", "id", node);
                    case CONTENT -> blobs += delete("blob", "digest", node);
                    case INGEST -> ingests += delete("ingest", "ref", node);
                    case IMAGE -> {
                        if (delete("image", "name", node) > 0) {
                            images.add(new RemovedImage(new NamespaceId(node.namespace), node.key));
                        }
                    }
                    case SNAPSHOT -> {
                        int slash = node.key.indexOf('/');
                        snapshots += tx.update(
                                "DELETE FROM snapshot WHERE namespace = ? AND snapshotter = ? AND name = ?",
                                node.namespace,
                                node.key.substring(0, slash),
                                node.key.substring(slash + 1));
                    }
                    case CONTAINER -> throw new IllegalStateException("containers are roots: " + node);
                }
            }
            return new Swept(snapshots, blobs, leases, ingests, images);
        }

        private int delete(String table, String column, Node node) throws SQLException {
            return tx.update(
                    "DELETE FROM " + table + " WHERE namespace = ? AND " + column + " = ?", node.namespace, node.key);
        }
    }
}
