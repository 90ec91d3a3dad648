package dev.longshore.daemon.metadata;

import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.snapshot.Snapshotter;
import java.nio.file.Path;
import java.time.Clock;
import java.util.function.Consumer;

/** Everything that the daemon keeps in its database. Safe for use by many threads. */
public final class MetadataStore implements AutoCloseable {

    /** Who sees content that another namespace has brought; {@code content_sharing_policy}. */
    public enum SharingPolicy {
        /** Whoever knows the digest has it without sending the bytes again. */
        SHARED,
        /** The bytes must be sent, except for what a namespace labeled as shareable has. */
        ISOLATED
    }

    private final Database database;
    private final Clock clock;
    private final NamespaceStore namespaces;
    private final LeaseStore leases;
    private final ImageStore images;
    private final ContainerStore containers;

    private MetadataStore(Database database, Clock clock) {
        this.database = database;
        this.clock = clock;
        this.namespaces = new NamespaceStore(database);
        this.leases = new LeaseStore(database, clock);
        this.images = new ImageStore(database, clock);
        this.containers = new ContainerStore(database, clock);
    }

    /**
     * Opens the database, making it if there is none.
     *
     * @param folder of mode 0700
     * @param onCommit called after every write, with whether it may have left garbage; must not block
     * @throws DataLossException if the database is damaged
     */
    public static MetadataStore open(Path folder, Clock clock, Consumer<Boolean> onCommit) {
        Database database = new Database(folder.resolve("metadata.db"), onCommit);
        MetadataStore store = new MetadataStore(database, clock);
        SnapshotRows.dropUnmade(database);
        return store;
    }

    public NamespaceStore namespaces() {
        return namespaces;
    }

    public LeaseStore leases() {
        return leases;
    }

    public ImageStore images() {
        return images;
    }

    public ContainerStore containers() {
        return containers;
    }

    /**
     * The snapshotter that clients know by {@code name}.
     *
     * @param backend keeps the snapshots, under keys of ours
     */
    public MetadataSnapshotter snapshotter(String name, Snapshotter backend) {
        return new MetadataSnapshotter(name, backend, database, clock);
    }

    /**
     * The content store that clients know.
     *
     * @param backend keeps the bytes, under refs of ours
     */
    public MetadataContentStore content(ContentStore backend, SharingPolicy policy) {
        return new MetadataContentStore(backend, policy, database, clock);
    }

    /** What nothing refers to any more. */
    public GarbageSweep garbage() {
        return new GarbageSweep(database, clock);
    }

    @Override
    public void close() {
        database.close();
    }
}
