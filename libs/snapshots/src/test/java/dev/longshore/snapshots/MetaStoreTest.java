package dev.longshore.snapshots;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.snapshot.Kind;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.sdk.snapshot.Usage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MetaStoreTest {

    private static final Instant NOW = Instant.parse("2026-01-02T03:04:05.123456789Z");

    @TempDir
    private Path folder;

    private MetaStore store;

    @BeforeEach
    void open() {
        store = MetaStore.open(folder.resolve("metadata.db"));
    }

    @AfterEach
    void close() {
        store.close();
    }

    @Test
    void whatIsStoredIsRead() {
        SnapshotInfo info = info(Kind.ACTIVE, "key", "", Map.of("a", "b", "empty", ""));
        store.create(1, info);

        assertThat(store.get("key").info()).isEqualTo(info(Kind.ACTIVE, "key", "", Map.of("a", "b")));
        assertThat(store.get("key").usage()).isEqualTo(new Usage(0, 0));
        assertThat(store.find("none")).isEmpty();
    }

    @Test
    void aChainIsNearestFirst() {
        String parent = "";
        for (int i = 1; i <= 300; i++) {
            store.create(i, info(Kind.ACTIVE, "key", parent, Map.of()));
            parent = "layer-" + i;
            store.commit(parent, "key", Optional.empty(), Map.of(), new Usage(i, i * 10L), NOW);
        }

        MetaStore.Chain chain = store.chain(parent);

        assertThat(chain.row().usage()).isEqualTo(new Usage(300, 3000));
        assertThat(chain.parents()).hasSize(299).startsWith(299L, 298L).endsWith(2L, 1L);
    }

    @Test
    void pagesHaveEverySnapshotOnce() {
        for (int i = 1; i <= 2 * MetaStore.PAGE + 1; i++) {
            store.create(i, info(Kind.VIEW, "key-" + i, "", Map.of("n", "" + i)));
        }
        List<MetaStore.Row> all = new ArrayList<>();
        for (List<MetaStore.Row> page = store.page(0);
                !page.isEmpty();
                page = store.page(page.getLast().id())) {
            all.addAll(page);
        }

        assertThat(all).hasSize(2 * MetaStore.PAGE + 1);
        assertThat(all).allSatisfy(row -> assertThat(row.info().labels()).containsEntry("n", "" + row.id()));
        assertThat(store.ids()).hasSize(all.size());
    }

    @Test
    void aFailedChangeChangesNothing() {
        store.create(1, info(Kind.ACTIVE, "key", "", Map.of("a", "b")));

        assertThatThrownBy(
                        () -> store.commit("name", "key", Optional.of("none"), Map.of("c", "d"), new Usage(1, 1), NOW))
                .isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> store.relabel(
                        "key",
                        labels -> {
                            throw new IllegalStateException("on purpose");
                        },
                        NOW))
                .hasMessage("on purpose");

        assertThat(store.get("key").info()).isEqualTo(info(Kind.ACTIVE, "key", "", Map.of("a", "b")));
        store.create(2, info(Kind.ACTIVE, "next", "", Map.of()));
    }

    @Test
    void theHighestIdIsRememberedAfterItsSnapshotIsGone() {
        assertThat(store.highestId()).isZero();
        store.create(41, info(Kind.ACTIVE, "key", "", Map.of()));
        store.remove("key");

        assertThat(store.highestId()).isEqualTo(41);
    }

    @Test
    void theJournalIsAWriteAheadLog() throws Exception {
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + folder.resolve("metadata.db"));
                Statement statement = connection.createStatement();
                ResultSet mode = statement.executeQuery("PRAGMA journal_mode")) {
            assertThat(mode.getString(1)).isEqualTo("wal");
        }
    }

    @Test
    void aNewerSchemaIsRefused() throws Exception {
        store.close();
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + folder.resolve("metadata.db"));
                Statement statement = connection.createStatement()) {
            statement.execute("PRAGMA user_version = 99");
        }

        assertThatThrownBy(() -> MetaStore.open(folder.resolve("metadata.db")))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("newer");
    }

    @Test
    void aFileThatIsNoDatabaseIsTold() throws Exception {
        Path file = folder.resolve("other.db");
        Files.writeString(file, "this is not a database, whatever its name says".repeat(100));

        assertThatThrownBy(() -> MetaStore.open(file))
                .isInstanceOf(DataLossException.class)
                .hasMessageContaining(file.toString());
    }

    private static SnapshotInfo info(Kind kind, String name, String parent, Map<String, String> labels) {
        return new SnapshotInfo(kind, name, parent, labels, NOW, NOW);
    }
}
