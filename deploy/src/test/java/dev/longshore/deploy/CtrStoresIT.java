package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Stock {@code ctr} on what the daemon keeps: content, snapshots, containers, leases, namespaces; and what it tells. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CtrStoresIT {

    private static final String BUSYBOX = "docker.io/library/busybox:latest";
    private static final String HELLO = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    private Suite suite;

    @BeforeAll
    void up() {
        suite = Suite.up();
        suite.importBusybox(BUSYBOX);
    }

    @AfterAll
    void down() {
        if (suite != null) {
            suite.close();
        }
    }

    @Test
    void versionIsAnswered() {
        assertThat(suite.ctr("version").ok().out()).contains("Server:").containsPattern("UUID: [0-9a-f-]{36}");
    }

    @Test
    void contentIsIngestedReadLabeledAndRemoved() {
        suite.ctrWithInput("hello", "content", "ingest", "--expected-digest", HELLO, "--expected-size", "5", "ref-1")
                .ok();
        assertThat(suite.ctr("content", "get", HELLO).ok().out()).isEqualTo("hello");
        assertThat(suite.ctr("content", "ls").ok().row(HELLO)[1]).isEqualTo("5B");
        suite.ctr("content", "label", HELLO, "color=red").ok();
        assertThat(String.join(" ", suite.ctr("content", "ls").ok().row(HELLO))).contains("color=red");
        assertThat(suite.ctr("content", "ls", "-q", "labels.color==red").ok().lines())
                .containsExactly(HELLO);
        suite.ctr("content", "label", HELLO, "color=").ok();
        assertThat(suite.ctr("content", "ls", "-q", "labels.color==red").ok().lines())
                .isEmpty();
        suite.ctr("content", "rm", HELLO).ok();
        assertThat(suite.ctr("content", "ls", "-q").ok().lines()).doesNotContain(HELLO);
        suite.ctr("content", "get", HELLO).failedWith("not found");
    }

    @Test
    void contentWithAnotherDigestOrSizeIsNotKept() {
        suite.ctrWithInput("goodbye", "content", "ingest", "--expected-digest", HELLO, "ref-2")
                .failedWith("unexpected commit digest");
        suite.ctrWithInput("hello!", "content", "ingest", "--expected-size", "5", "--expected-digest", HELLO, "ref-3")
                .failedWith("size");
        assertThat(suite.ctr("content", "ls", "-q").ok().lines()).doesNotContain(HELLO);
    }

    @Test
    void activeIngestsAreListed() {
        suite.ctr("content", "active").ok();
    }

    @Test
    void imageIsFetchedFromARegistry(@TempDir Path folder) throws IOException {
        Path archive = TestImage.busybox("docker.io/library/fetched:1");
        Programs.run(List.of("tar", "-C", folder.toString(), "-xf", archive.toString()))
                .ok();
        try (PlainRegistry registry = new PlainRegistry(folder)) {
            String name = registry.host() + "/fetched:1";
            suite.ctr("--namespace", "fetch", "content", "fetch", "--plain-http", name)
                    .ok();
            assertThat(suite.ctr("--namespace", "fetch", "content", "ls", "-q")
                            .ok()
                            .lines())
                    .hasSize(3);
            String digest =
                    suite.ctr("--namespace", "fetch", "images", "ls").ok().row(name)[2];
            assertThat(suite.ctr("--namespace", "fetch", "content", "fetch-object", "--plain-http", name, digest)
                            .ok()
                            .out())
                    .contains("schemaVersion");
            suite.ctr("--namespace", "fetch", "images", "pull", "--plain-http", name)
                    .ok();
            assertThat(suite.ctr("--namespace", "fetch", "run", "--rm", name, "fetched", "echo", "pulled")
                            .ok()
                            .out())
                    .isEqualTo("pulled\n");
            suite.ctr("--namespace", "fetch", "images", "rm", "--sync", name).ok();
        }
    }

    private String top() {
        List<String> tree = suite.ctr("snapshots", "tree").ok().lines();
        return tree.stream()
                .filter(line -> line.startsWith("sha256:"))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void snapshotIsPreparedWrittenComparedAndCommitted(@TempDir Path folder) throws IOException {
        String top = top();
        Path target = Files.createDirectory(folder.resolve("target"));
        Ran prepared = suite.ctr("snapshots", "prepare", "--target", target.toString(), "written", top)
                .ok();
        assertThat(prepared.out()).startsWith("mount -t overlay");
        Programs.run(List.of("sh", "-c", prepared.out())).ok();
        try {
            assertThat(target.resolve("bin/busybox")).exists();
            Files.writeString(target.resolve("new"), "new");
            Files.delete(target.resolve("etc/group"));
        } finally {
            Programs.run(List.of("umount", target.toString())).ok();
        }
        String[] listed = suite.ctr("snapshots", "ls").ok().row("written");
        assertThat(listed[1]).isEqualTo(top);
        assertThat(listed[2]).isEqualTo("Active");
        assertThat(suite.ctr("snapshots", "mounts", "/mnt", "written").ok().out())
                .isEqualTo(prepared.out().replace(target.toString(), "/mnt"));
        assertThat(suite.ctr("snapshots", "usage", "-b", "written").ok().row("written"))
                .hasSize(3);

        suite.ctr("snapshots", "commit", "committed", "written").ok();
        listed = suite.ctr("snapshots", "ls").ok().row("committed");
        assertThat(listed[1]).isEqualTo(top);
        assertThat(listed[2]).isEqualTo("Committed");
        assertThat(suite.ctr("snapshots", "info", "committed").ok().out()).contains("\"Kind\": \"Committed\"");
        assertThat(suite.ctr("snapshots", "tree").ok().out()).contains(top).contains("\\_ committed");

        Path layer = folder.resolve("layer.tar");
        Programs.run(List.of(
                        "sh",
                        "-c",
                        String.join(
                                        " ",
                                        suite.ctrCommand(
                                                "snapshots",
                                                "diff",
                                                "--media-type",
                                                "application/vnd.oci.image.layer.v1.tar",
                                                top,
                                                "committed"))
                                + " > "
                                + layer))
                .ok();
        assertThat(Programs.run(List.of("tar", "-tf", layer.toString())).ok().lines())
                .contains("new", "etc/.wh.group")
                .doesNotContain("bin/busybox");

        suite.ctr("snapshots", "label", "committed", "color=red").ok();
        assertThat(suite.ctr("snapshots", "info", "committed").ok().out()).contains("\"color\": \"red\"");

        Ran view = suite.ctr("snapshots", "view", "--target", target.toString(), "viewed", "committed")
                .ok();
        Programs.run(List.of("sh", "-c", view.out())).ok();
        try {
            assertThat(target.resolve("new")).hasContent("new");
            assertThat(target.resolve("etc/group")).doesNotExist();
        } finally {
            Programs.run(List.of("umount", target.toString())).ok();
        }
        suite.ctr("snapshots", "rm", "committed").failedWith("");
        suite.ctr("snapshots", "rm", "viewed").ok();
        suite.ctr("snapshots", "rm", "committed").ok();
        assertThat(suite.ctr("snapshots", "ls").ok().rows("committed")).isEmpty();
    }

    @Test
    void snapshotErrorsAreOfTheRightKind() {
        suite.ctr("snapshots", "prepare", "orphan", "sha256:" + "0".repeat(64)).failedWith("not found");
        suite.ctr("snapshots", "prepare", "twice").ok();
        suite.ctr("snapshots", "prepare", "twice").failedWith("already exists");
        suite.ctr("snapshots", "rm", "twice").ok();
        suite.ctr("snapshots", "rm", "twice").failedWith("not found");
        suite.ctr("snapshots", "commit", "name", "twice").failedWith("not found");
        suite.ctr("snapshots", "mounts", "/mnt", "twice").failedWith("not found");
        suite.ctr("snapshots", "--snapshotter", "nothing", "ls").failedWith("nothing");
    }

    @Test
    void imageIsUnpackedOnRequest() {
        Path archive = TestImage.busybox("docker.io/library/packed:1");
        suite.ctr("--namespace", "packed", "images", "import", "--no-unpack", archive.toString())
                .ok();
        assertThat(String.join(
                        " ",
                        suite.ctr("--namespace", "packed", "images", "check")
                                .ok()
                                .row("docker.io/library/packed:1")))
                .endsWith("false");
        String digest = suite.ctr("--namespace", "packed", "images", "ls").ok().row("docker.io/library/packed:1")[2];
        suite.ctr("--namespace", "packed", "snapshots", "unpack", digest).ok();
        assertThat(suite.ctr("--namespace", "packed", "snapshots", "tree").ok().lines())
                .hasSize(1);
        suite.ctr("--namespace", "packed", "images", "rm", "--sync", "docker.io/library/packed:1")
                .ok();
        assertThat(suite.ctr("--namespace", "packed", "snapshots", "tree").ok().lines())
                .as("the garbage collector took the snapshots with the image")
                .isEmpty();
    }

    @Test
    void containerIsCreatedListedLabeledAndDeleted() {
        suite.ctr("containers", "create", "--label", "size=xl", BUSYBOX, "kept", "true")
                .ok();
        String[] row = suite.ctr("containers", "ls").ok().row("kept");
        assertThat(row[1]).isEqualTo(BUSYBOX);
        assertThat(row[2]).isEqualTo("io.containerd.runc.v2");
        assertThat(suite.ctr("containers", "info", "kept").ok().out())
                .contains("\"SnapshotKey\": \"kept\"")
                .contains("\"Snapshotter\": \"overlayfs\"")
                .contains("\"ociVersion\"");
        suite.ctr("containers", "label", "kept", "color=red").ok();
        assertThat(suite.ctr("containers", "ls", "-q", "labels.color==red").ok().lines())
                .containsExactly("kept");
        suite.ctr("containers", "create", BUSYBOX, "kept", "true").failedWith("already exists");
        suite.ctr("containers", "delete", "kept").ok();
        suite.ctr("containers", "info", "kept").failedWith("not found");
        suite.ctr("containers", "create", BUSYBOX, "not/an/id", "true").failedWith("invalid");
    }

    @Test
    void leaseIsCreatedListedAndDeleted() {
        suite.ctr("leases", "create", "--id", "mine", "--expires", "1h", "color=red")
                .ok();
        assertThat(String.join(" ", suite.ctr("leases", "ls").ok().row("mine")))
                .contains("color=red")
                .contains("containerd.io/gc.expire=");
        suite.ctr("leases", "create", "--id", "mine").failedWith("already exists");
        assertThat(suite.ctr("leases", "ls", "-q", "labels.color==red").ok().lines())
                .containsExactly("mine");
        suite.ctr("leases", "delete", "--sync", "mine").ok();
        assertThat(suite.ctr("leases", "ls", "-q").ok().lines()).doesNotContain("mine");
        assertThat(suite.ctr("leases", "delete", "mine").err()).contains("not found");
    }

    @Test
    void namespaceIsCreatedLabeledAndRemovedWhenEmpty() {
        suite.ctr("namespaces", "create", "mine", "color=red").ok();
        assertThat(String.join(" ", suite.ctr("namespaces", "ls").ok().row("mine")))
                .contains("color=red");
        suite.ctr("namespaces", "label", "mine", "color=blue").ok();
        assertThat(String.join(" ", suite.ctr("namespaces", "ls").ok().row("mine")))
                .contains("color=blue");
        suite.ctr("namespaces", "create", "mine").failedWith("already exists");
        suite.ctr("namespaces", "rm", "mine").ok();
        assertThat(suite.ctr("namespaces", "ls", "-q").ok().lines()).doesNotContain("mine");
        assertThat(suite.ctr("namespaces", "rm", "default").err()).contains("must be empty");
    }

    @Test
    void namespacesDoNotSeeEachOther() {
        assertThat(suite.ctr("--namespace", "other", "images", "ls", "-q").ok().lines())
                .isEmpty();
        assertThat(suite.ctr("--namespace", "other", "content", "ls", "-q").ok().lines())
                .isEmpty();
        suite.ctr("--namespace", "other", "run", "--rm", BUSYBOX, "c", "true").failedWith("not found");
    }

    @Test
    void eventsOfAContainerComeInOrder() {
        try (Running events = Running.start(suite.ctrCommand("events"))) {
            // The subscription is up when the first event that we cause ourselves arrives.
            await().atMost(Programs.PATIENCE).until(() -> {
                suite.ctr("images", "tag", "--force", BUSYBOX, "docker.io/library/event:1")
                        .ok();
                return events.said().contains("/images/");
            });
            suite.ctr("run", "--rm", BUSYBOX, "eventful", "sh", "-c", "exit 3").exitedWith(3);
            events.awaitSaid("/containers/delete");
            String said = events.said();
            assertThat(said)
                    .containsSubsequence(
                            "/snapshot/prepare",
                            "/containers/create",
                            "/tasks/create",
                            "/tasks/start",
                            "/tasks/exit",
                            "/tasks/delete",
                            "/containers/delete");
            assertThat(said).contains("\"container_id\":\"eventful\"").contains("\"exit_status\":3");
        }
        suite.ctr("images", "rm", "docker.io/library/event:1").ok();
    }

    @Test
    void eventsAreFiltered() {
        try (Running events = Running.start(suite.ctrCommand("events", "topic~=|^/namespaces/|"))) {
            await().atMost(Programs.PATIENCE).until(() -> {
                suite.ctr("namespaces", "create", "filtered").ok();
                suite.ctr("namespaces", "rm", "filtered").ok();
                return events.said().contains("/namespaces/");
            });
            suite.ctr("images", "tag", BUSYBOX, "docker.io/library/filtered:1").ok();
            suite.ctr("images", "rm", "docker.io/library/filtered:1").ok();
            suite.ctr("namespaces", "create", "last").ok();
            suite.ctr("namespaces", "rm", "last").ok();
            events.awaitSaid("\"last\"");
            assertThat(events.said()).doesNotContain("/images/");
        }
    }

    @Test
    void pluginsAreListed() {
        Ran plugins = suite.ctr("plugins", "ls").ok();
        assertThat(plugins.lines().stream()
                        .filter(line -> line.contains("snapshotter") && line.contains("overlayfs"))
                        .toList())
                .hasSize(1)
                .allMatch(line -> line.endsWith("ok"));
        assertThat(plugins.out()).contains("io.containerd.content.v1");
        assertThat(suite.ctr("plugins", "ls", "-d", "id==overlayfs").ok().out()).contains("overlayfs");
    }
}
