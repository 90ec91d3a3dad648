package dev.longshore.examples.copy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.examples.copy.FaultySnapshotter.Fault;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.snapshot.SnapshotInfo;
import dev.longshore.testkit.verify.PluginType;
import dev.longshore.testkit.verify.Sentence;
import dev.longshore.testkit.verify.Sentence.Outcome;
import dev.longshore.testkit.verify.Verification;
import dev.longshore.testkit.verify.Verification.Verdict;
import dev.longshore.testkit.verify.VerifyOptions;
import dev.longshore.transport.serve.Backend;
import dev.longshore.transport.serve.PluginServer;
import dev.longshore.transport.serve.ServeOptions;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code longshore plugin verify} says of plugins that are well, faulty, hanging or not there. */
class VerificationIT {

    private static final CallContext CONTEXT = CallContext.of("test", Duration.ofMinutes(5));

    @TempDir
    private Path folder;

    private Path socket;

    @BeforeEach
    void needRoot() {
        assumeTrue("root".equals(System.getProperty("user.name")), "not root: cannot mount");
        socket = folder.resolve("s");
    }

    private CopySnapshotter copies() throws IOException {
        return CopySnapshotter.open(folder.resolve("root"), Clock.systemUTC());
    }

    private VerifyOptions options(String... only) {
        return new VerifyOptions(
                PluginType.SNAPSHOT,
                socket,
                socket,
                "test",
                Set.of(),
                true,
                Duration.ofSeconds(10),
                Optional.empty(),
                only.length == 0 ? Optional.empty() : Optional.of(only[0]));
    }

    private static Sentence sentence(Verdict verdict, String words) {
        return verdict.sentences().stream()
                .filter(sentence -> sentence.words().equals(words))
                .findFirst()
                .orElseThrow();
    }

    private static List<String> failed(Verdict verdict) {
        return verdict.sentences().stream()
                .filter(sentence -> sentence.outcome() == Outcome.FAIL)
                .map(Sentence::words)
                .toList();
    }

    private List<SnapshotInfo> listed(CopySnapshotter snapshotter) {
        List<SnapshotInfo> infos = new ArrayList<>();
        snapshotter.list(CONTEXT, List.of(), infos::add);
        return infos;
    }

    @Test
    void anotherOnesSnapshotsAreLeftAloneAndOnesOwnAreRemoved() throws Exception {
        CopySnapshotter snapshotter = copies();
        snapshotter.prepare(CONTEXT, "base", "", Map.of());
        snapshotter.commit(CONTEXT, "name", "base", Optional.empty(), Map.of("containerd.io/snapshot/a", "b"));
        snapshotter.prepare(CONTEXT, "key", "name", Map.of());
        List<SnapshotInfo> before = listed(snapshotter);
        try (PluginServer server = PluginServer.start(ServeOptions.of(socket), Backend.of(snapshotter))) {
            List<Sentence> told = new ArrayList<>();

            Verdict verdict = Verification.run(options(), told::add);

            assertThat(failed(verdict)).isEmpty();
            assertThat(verdict.passed()).isTrue();
            assertThat(verdict.sentences()).isEqualTo(told).hasSizeGreaterThan(40);
            assertThat(sentence(verdict, "a parent cannot be removed")).hasToString("pass  a parent cannot be removed");
            assertThat(sentence(verdict, "everything is there after a reopen"))
                    .hasToString("skip  everything is there after a reopen:"
                            + " a program that is up is restarted only with --restart COMMAND");
            assertThat(listed(snapshotter)).containsExactlyInAnyOrderElementsOf(before);
        }
    }

    @Test
    void lostLabelsAreFound() throws Exception {
        try (Snapshotting faulty = new Snapshotting(Fault.LOSES_LABELS)) {
            Verdict verdict = Verification.run(options(), _ -> {});

            assertThat(failed(verdict))
                    .containsExactlyInAnyOrder(
                            "update of one label leaves the others", "update without a mask replaces all labels");
            assertThat(sentence(verdict, "update without a mask replaces all labels")
                            .toString())
                    .startsWith("fail  update without a mask replaces all labels: Expecting map: {} to contain")
                    .containsPattern("\\(the last call: Update \\w+ \\[] was answered\\)$")
                    .doesNotContain("\n");
            assertThat(verdict.passed()).isFalse();
            assertThat(verdict.left()).isEmpty();
        }
    }

    @Test
    void aWrongCodeIsFoundAndNamed() throws Exception {
        try (Snapshotting faulty = new Snapshotting(Fault.NOT_FOUND_IS_UNKNOWN)) {
            Verdict verdict = Verification.run(options("anUnknownSnapshotIsNotFound"), _ -> {});

            assertThat(verdict.sentences()).hasSize(1);
            assertThat(verdict.sentences().getFirst())
                    .hasToString(
                            "fail  an unknown snapshot is not found: Expecting actual throwable to be an instance of:"
                                    + " NotFound but was: Unknown: no such thing"
                                    + " (the last call: Stat none failed with Unknown: no such thing)");
        }
    }

    @Test
    void aCallThatHangsFailsItsSentencesInTimeAndNoOthers() throws Exception {
        try (Snapshotting faulty = new Snapshotting(Fault.HANGS_IN_USAGE)) {
            VerifyOptions options = options("usage counts what a snapshot adds");
            VerifyOptions impatient = new VerifyOptions(
                    options.type(),
                    options.socket(),
                    options.content(),
                    options.name(),
                    options.capabilities(),
                    options.strict(),
                    Duration.ofSeconds(1),
                    options.restart(),
                    options.only());

            Verdict verdict = Verification.run(impatient, _ -> {});

            assertThat(verdict.sentences().getFirst().toString())
                    .startsWith("fail  usage counts what a snapshot adds: Usage base failed with DeadlineExceeded");
            assertThat(verdict.sentences().getFirst().seconds()).isBetween(0.9, 20.0);
        }
    }

    @Test
    void aSentenceThatIsNotThereIsAnsweredWithThoseThatAre() throws Exception {
        try (Snapshotting faulty = new Snapshotting()) {
            assertThatThrownBy(() -> Verification.run(options("nothing"), _ -> {}))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("a parent cannot be removed");
        }
    }

    @Test
    void aSocketThatIsNotThereIsOneError() {
        assertRefused("its socket is not there: start it, or correct its address");
    }

    @Test
    void aSocketThatNobodyListensOnIsOneError() throws Exception {
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(socket));
        }
        assertRefused("nobody listens on its socket: start it");
    }

    @Test
    void aProgramThatSpeaksSomethingElseIsOneError() throws Exception {
        try (ServerSocketChannel other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            other.bind(UnixDomainSocketAddress.of(socket));
            Thread greeter = Thread.startVirtualThread(() -> {
                try {
                    while (true) {
                        try (SocketChannel client = other.accept()) {
                            client.write(ByteBuffer.wrap("220 ready\r\n".getBytes(StandardCharsets.UTF_8)));
                        }
                    }
                } catch (IOException e) {
                    // The test is over.
                }
            });
            assertRefused("does not speak gRPC");
            other.close();
            greeter.join();
        }
    }

    @Test
    void aPluginOfAnotherTypeIsOneError() throws Exception {
        try (PluginServer server = PluginServer.start(ServeOptions.of(socket), Backend.of(List.of(), List.of()))) {
            assertRefused("does not have the service Snapshots");
        }
    }

    private void assertRefused(String reason) {
        assertThatThrownBy(() -> Verification.run(options(), _ -> {}))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining(socket.toString())
                .hasMessageContaining(reason);
    }

    /** A faulty snapshotter on the socket. */
    private final class Snapshotting implements AutoCloseable {

        private final PluginServer server;

        Snapshotting(Fault... faults) throws IOException {
            Files.createDirectories(folder.resolve("root"));
            server = PluginServer.start(
                    ServeOptions.of(socket), Backend.of(new FaultySnapshotter(copies(), Set.of(faults))));
        }

        @Override
        public void close() {
            server.close();
        }
    }
}
