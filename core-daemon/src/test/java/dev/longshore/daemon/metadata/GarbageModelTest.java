package dev.longshore.daemon.metadata;

import static dev.longshore.daemon.metadata.MetadataFixture.digest;
import static dev.longshore.daemon.metadata.MetadataFixture.image;
import static dev.longshore.daemon.metadata.MetadataFixture.list;
import static dev.longshore.daemon.metadata.MetadataFixture.write;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.metadata.MetadataFixture.HandClock;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random objects with random labels, swept, against a model that knows the rules and nothing of how they are kept: it goes
 * over everything again and again until nothing more is kept.
 */
final class GarbageModelTest {

    private static final int GRAPHS = 60;
    private static final List<String> NAMESPACES = List.of("one", "two");

    /** What may refer and be referred to. Snapshots are of the snapshotter "map". */
    private enum Type {
        CONTENT,
        SNAPSHOT,
        IMAGE,
        CONTAINER,
        LEASE
    }

    private record Key(String namespace, Type type, String name) {}

    /** @param structure what it refers to by itself: an image its target, a snapshot its parent, a container its snapshot */
    private record Thing(Key key, Map<String, String> labels, Optional<Key> structure, List<Key> leased) {}

    private enum Kept {
        NO,
        FLAT,
        FULL
    }

    @TempDir
    private Path root;

    private final HandClock clock = new HandClock();
    private final Map<Key, Thing> things = new HashMap<>();

    /** Names that are referred to and that nothing has. As in containerd, what says that it belongs to one is kept by it. */
    private final Set<Key> absent = new HashSet<>();

    static List<Long> seeds() {
        Random random = new Random();
        return random.longs(GRAPHS).boxed().toList();
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void whatIsLeftIsWhatTheModelKeeps(long seed) throws Exception {
        Random random = new Random(seed);
        try (MetadataStore metadata =
                MetadataStore.open(Files.createDirectories(root.resolve("meta")), clock, leavesGarbage -> {})) {
            MetadataContentStore content =
                    metadata.content(new LocalContentStore(root.resolve("content"), clock), SharingPolicy.SHARED);
            MapSnapshotter backend = new MapSnapshotter();
            MetadataSnapshotter snapshotter = metadata.snapshotter("map", backend);
            for (String namespace : NAMESPACES) {
                make(namespace, random, metadata, content, snapshotter);
            }
            Set<String> expected = new TreeSet<>(kept());

            var _ = metadata.garbage().run();

            assertThat(left(metadata, content, snapshotter))
                    .as(() -> things.values().stream()
                            .map(Thing::toString)
                            .sorted()
                            .collect(Collectors.joining("\n")))
                    .isEqualTo(expected);
            // And once more: what is kept is kept, and the backends agree with the rows.
            assertThat(metadata.garbage().run()).isEqualTo(new GarbageSweep.Swept(0, 0, 0, 0, List.of()));
            CallContext nobody = CallContext.withoutNamespace(Duration.ofMinutes(1));
            var _ = snapshotter.removeGarbage(nobody);
            var _ = content.removeGarbage(nobody);
            assertThat(backend.snapshots).hasSize((int)
                    expected.stream().filter(name -> name.contains("SNAPSHOT")).count());
            assertThat(left(metadata, content, snapshotter)).isEqualTo(expected);
        }
    }

    // Making

    private void make(
            String name,
            Random random,
            MetadataStore metadata,
            MetadataContentStore content,
            MetadataSnapshotter snapshotter) {
        CallContext context = CallContext.of(name, Duration.ofMinutes(1));
        NamespaceId namespace = new NamespaceId(name);
        for (int i = 0; i < 12; i++) {
            Map<String, String> labels = labels(random, 3, true);
            write(content, context, "blob " + i, labels);
            put(new Key(name, Type.CONTENT, digest("blob " + i).toString()), labels, Optional.empty(), List.of());
        }
        for (int i = 0; i < 8; i++) {
            Map<String, String> labels = labels(random, 3, true);
            if (random.nextInt(3) == 0) {
                labels.put(
                        "containerd.io/gc.cond.value-usedat",
                        clock.instant()
                                .minus(Duration.ofMinutes(random.nextInt(120)))
                                .toString());
            }
            String parent = i > 0 && random.nextBoolean() ? "s" + random.nextInt(i) : "";
            var _ = snapshotter.prepare(context, "extract", parent, Map.of());
            snapshotter.commit(context, "s" + i, "extract", Optional.empty(), labels);
            put(
                    new Key(name, Type.SNAPSHOT, "s" + i),
                    labels,
                    Optional.of(parent).filter(text -> !text.isEmpty()).map(text -> new Key(name, Type.SNAPSHOT, text)),
                    List.of());
        }
        for (int i = 0; i < 4; i++) {
            Map<String, String> labels = labels(random, 2, false);
            if (random.nextBoolean()) {
                labels.put("containerd.io/gc.expire", expiry(random));
            }
            String target = "blob " + random.nextInt(14);
            var _ = metadata.images().create(context, image("i" + i, target, labels));
            put(
                    new Key(name, Type.IMAGE, "i" + i),
                    labels,
                    Optional.of(new Key(name, Type.CONTENT, digest(target).toString())),
                    List.of());
        }
        for (int i = 0; i < 2; i++) {
            Map<String, String> labels = labels(random, 2, false);
            String snapshot = "s" + random.nextInt(9);
            var _ = metadata.containers().create(namespace, container("c" + i, snapshot, labels));
            put(
                    new Key(name, Type.CONTAINER, "c" + i),
                    labels,
                    Optional.of(new Key(name, Type.SNAPSHOT, snapshot)),
                    List.of());
        }
        for (int i = 0; i < 3; i++) {
            Map<String, String> labels = new HashMap<>();
            if (random.nextBoolean()) {
                labels.put("containerd.io/gc.expire", expiry(random));
            }
            if (random.nextBoolean()) {
                labels.put("containerd.io/gc.flat", "yes");
            }
            metadata.leases().create(namespace, "l" + i, labels);
            List<Key> leased = new ArrayList<>();
            for (int r = random.nextInt(4); r > 0; r--) {
                Key key = anyOf(random, name, List.of(Type.CONTENT, Type.SNAPSHOT, Type.IMAGE));
                metadata.leases()
                        .add(
                                namespace,
                                "l" + i,
                                new LeaseResource(
                                        switch (key.type()) {
                                            case CONTENT -> "content";
                                            case SNAPSHOT -> "snapshots/map";
                                            default -> "images";
                                        },
                                        key.name()));
                leased.add(key);
            }
            put(new Key(name, Type.LEASE, "l" + i), labels, Optional.empty(), leased);
        }
        absent(new Key(name, Type.CONTENT, digest("blob 12").toString()));
        absent(new Key(name, Type.CONTENT, digest("blob 13").toString()));
        absent(new Key(name, Type.SNAPSHOT, "s8"));
        absent(new Key(name, Type.IMAGE, "i4"));
        absent(new Key(name, Type.CONTAINER, "c2"));
    }

    private void absent(Key key) {
        absent.add(key);
        put(key, Map.of(), Optional.empty(), List.of());
    }

    private void put(Key key, Map<String, String> labels, Optional<Key> structure, List<Key> leased) {
        things.put(key, new Thing(key, labels, structure, leased));
    }

    private static Container container(String id, String snapshot, Map<String, String> labels) {
        return new Container(
                id,
                "",
                "io.containerd.runc.v2",
                Optional.empty(),
                Optional.of(new TypedValue("spec", new byte[0])),
                "map",
                snapshot,
                "",
                labels,
                Map.of(),
                Instant.EPOCH,
                Instant.EPOCH);
    }

    private String expiry(Random random) {
        return random.nextInt(4) == 0
                ? "no time"
                : clock.instant()
                        .plus(Duration.ofMinutes(random.nextInt(120) - 60L))
                        .toString();
    }

    private static Key anyOf(Random random, String namespace, List<Type> types) {
        Type type = types.get(random.nextInt(types.size()));
        return new Key(
                namespace,
                type,
                switch (type) {
                    case CONTENT -> digest("blob " + random.nextInt(14)).toString();
                    case SNAPSHOT -> "s" + random.nextInt(9);
                    case IMAGE -> "i" + random.nextInt(5);
                    case CONTAINER -> "c" + random.nextInt(3);
                    case LEASE -> throw new IllegalArgumentException("leases are not referred to");
                });
    }

    /** Sometimes to what is not there. */
    private Map<String, String> labels(Random random, int most, boolean mayBeRoot) {
        Map<String, String> labels = new HashMap<>();
        if (mayBeRoot && random.nextInt(12) == 0) {
            labels.put("containerd.io/gc.root", "yes");
        }
        for (int i = random.nextInt(most + 1); i > 0; i--) {
            boolean back = random.nextInt(3) == 0;
            List<Type> types = back
                    ? List.of(Type.CONTENT, Type.SNAPSHOT, Type.IMAGE, Type.CONTAINER)
                    : List.of(Type.CONTENT, Type.SNAPSHOT, Type.IMAGE);
            Key key = anyOf(random, "", types);
            String kind = key.type() == Type.SNAPSHOT
                    ? "snapshot.map" + (random.nextBoolean() ? "/" + i : "")
                    : key.type().name().toLowerCase(Locale.ROOT) + (random.nextBoolean() ? "." + i : "");
            labels.put("containerd.io/gc." + (back ? "bref." : "ref.") + kind, key.name());
        }
        if (random.nextInt(6) == 0) {
            labels.put(
                    "containerd.io/gc.cond.snapshot.map",
                    "usedat%s%dm|s%d"
                            .formatted(random.nextBoolean() ? "<" : ">", random.nextInt(120), random.nextInt(9)));
        }
        return labels;
    }

    // The model

    private List<String> kept() {
        Map<Key, Kept> kept = new HashMap<>();
        boolean changed = true;
        while (changed) {
            changed = false;
            for (Thing thing : things.values()) {
                Kept now = kept(thing, kept);
                if (now.compareTo(kept.getOrDefault(thing.key(), Kept.NO)) > 0) {
                    kept.put(thing.key(), now);
                    changed = true;
                }
            }
        }
        return kept.keySet().stream()
                .filter(key -> !absent.contains(key))
                .map(Key::toString)
                .toList();
    }

    private Kept kept(Thing thing, Map<Key, Kept> kept) {
        Kept best = !absent.contains(thing.key()) && isRoot(thing) ? Kept.FULL : Kept.NO;
        for (Thing other : things.values()) {
            if (!other.key().namespace().equals(thing.key().namespace())) {
                continue;
            }
            Kept by = kept.getOrDefault(other.key(), Kept.NO);
            if (by != Kept.NO && other.structure().equals(Optional.of(thing.key())) && by.compareTo(best) > 0) {
                best = by;
            }
            if (by == Kept.FULL
                    && (refers(other, thing, "ref.") || refers(thing, other, "bref.") || tied(thing, other))) {
                best = Kept.FULL;
            }
            if (by == Kept.FULL && other.leased().contains(thing.key())) {
                Kept lease = other.labels().containsKey("containerd.io/gc.flat") ? Kept.FLAT : Kept.FULL;
                best = lease.compareTo(best) > 0 ? lease : best;
            }
        }
        return best;
    }

    private boolean isRoot(Thing thing) {
        return switch (thing.key().type()) {
            case CONTAINER -> true;
            case IMAGE, LEASE -> {
                Optional<Instant> end = time(thing.labels().get("containerd.io/gc.expire"));
                yield end.isEmpty() || !clock.instant().isAfter(end.get());
            }
            case CONTENT, SNAPSHOT -> thing.labels().containsKey("containerd.io/gc.root");
        };
    }

    /** A reference that stands in the labels of {@code from} and names {@code to}. */
    private static boolean refers(Thing from, Thing to, String how) {
        String kind = to.key().type() == Type.SNAPSHOT
                ? "snapshot.map"
                : to.key().type().name().toLowerCase(Locale.ROOT);
        return from.labels().entrySet().stream()
                .anyMatch(label -> label.getKey().startsWith("containerd.io/gc." + how + kind)
                        && label.getValue().equals(to.key().name()));
    }

    private boolean tied(Thing thing, Thing snapshot) {
        String condition = thing.labels().get("containerd.io/gc.cond.snapshot.map");
        Optional<Instant> used = time(snapshot.labels().get("containerd.io/gc.cond.value-usedat"));
        if (condition == null
                || used.isEmpty()
                || snapshot.key().type() != Type.SNAPSHOT
                || !(thing.key().type() == Type.CONTENT || thing.key().type() == Type.IMAGE)
                || !condition.endsWith("|" + snapshot.key().name())) {
            return false;
        }
        long limit = Long.parseLong(condition.substring("usedat<".length(), condition.indexOf('m')));
        long age = Duration.between(used.get(), clock.instant()).toMinutes();
        return condition.contains("<") ? age < limit : age > limit;
    }

    private static Optional<Instant> time(@Nullable String text) {
        return text == null || text.equals("no time") ? Optional.empty() : Optional.of(Instant.parse(text));
    }

    // What is there

    private static Set<String> left(
            MetadataStore metadata, MetadataContentStore content, MetadataSnapshotter snapshotter) {
        Set<String> left = new TreeSet<>();
        for (String name : NAMESPACES) {
            CallContext context = CallContext.of(name, Duration.ofMinutes(1));
            NamespaceId namespace = new NamespaceId(name);
            list(content, context)
                    .forEach(digest -> left.add(new Key(name, Type.CONTENT, digest.toString()).toString()));
            snapshotter.list(
                    context, List.of(), info -> left.add(new Key(name, Type.SNAPSHOT, info.name()).toString()));
            metadata.images()
                    .list(namespace, List.of())
                    .forEach(image -> left.add(new Key(name, Type.IMAGE, image.name()).toString()));
            metadata.containers()
                    .list(namespace, List.of())
                    .forEach(container -> left.add(new Key(name, Type.CONTAINER, container.id()).toString()));
            metadata.leases()
                    .list(namespace, List.of())
                    .forEach(lease -> left.add(new Key(name, Type.LEASE, lease.id()).toString()));
        }
        return left;
    }
}
