package dev.longshore.daemon.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.api.runtime.bootstrap.v1.BootstrapParams;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.errors.UnknownException;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With shims that are shell scripts: what they do wrong here, no real one does on demand. */
final class ShimStarterIT {

    private static final Deadline SOON = Deadline.after(Duration.ofMinutes(1));
    private static final Optional<TypedValue> OPTIONS =
            Optional.of(new TypedValue("containerd.runc.v1.Options", new byte[] {0x32, 1, 'x'}));

    @TempDir
    private Path folder;

    private Bundle bundle;
    private ShimStarter starter;

    @BeforeEach
    void setUp() throws IOException {
        bundle = Bundle.create(
                folder.resolve("state"), folder.resolve("root"), new NamespaceId("ns1"), "c1", Optional.empty());
        starter = new ShimStarter(config(folder));
    }

    static RuntimeConfig config(Path folder) {
        return new RuntimeConfig(
                folder.resolve("state"),
                folder.resolve("root"),
                "/run/l/l.sock",
                "/run/l/l.sock.ttrpc",
                "/usr/bin/longshored",
                List.of(),
                Optional.empty(),
                Path.of("/run/l/s"),
                Map.of("SCHED_CORE", "1"),
                true,
                RuntimeTimeouts.DEFAULTS);
    }

    @Test
    void shimIsStartedAsContainerdDoes() throws Exception {
        Path shim = shim("""
                pwd > pwd; printf '%s\\n' "$@" > args; env > env; cat > stdin
                printf '{"version":3,"address":"unix:///run/x","protocol":"ttrpc"}'
                """);

        BootstrapAnswer answer = starter.start(bundle, shim, OPTIONS, SOON);

        assertThat(answer).isEqualTo(new BootstrapAnswer(3, "unix:///run/x", "ttrpc"));
        assertThat(written("pwd")).isEqualTo(bundle.path() + "\n");
        assertThat(written("args").lines())
                .containsExactly(
                        "-namespace",
                        "ns1",
                        "-address",
                        "/run/l/l.sock",
                        "-publish-binary",
                        "/usr/bin/longshored",
                        "-id",
                        "c1",
                        "-debug",
                        "start");
        assertThat(written("env").lines())
                .contains(
                        "MAX_SHIM_VERSION=2",
                        "TTRPC_ADDRESS=/run/l/l.sock.ttrpc",
                        "GRPC_ADDRESS=/run/l/l.sock",
                        "NAMESPACE=ns1",
                        "SCHED_CORE=1");
        BootstrapParams params =
                BootstrapParams.parseFrom(Files.readAllBytes(bundle.path().resolve("stdin")));
        assertThat(params.getInstanceId()).isEqualTo("c1");
        assertThat(params.getNamespace()).isEqualTo("ns1");
        assertThat(params.getSocketDir()).isEqualTo("/run/l/s");
        assertThat(params.getContainerdTtrpcAddress()).isEqualTo("/run/l/l.sock.ttrpc");
        assertThat(params.getExtensions(0).getValue()).isEqualTo(ShimStarter.any(OPTIONS.orElseThrow()));
    }

    @Test
    void oldShimIsGivenBareOptionsAndRemembered() throws Exception {
        Path shim = shim("""
                echo run >> runs; cat > stdin
                if grep -q ns1 stdin; then echo 'type with url c1: not found' >&2; exit 1; fi
                printf 'unix:///run/old'
                """);

        assertThat(starter.start(bundle, shim, OPTIONS, SOON))
                .isEqualTo(new BootstrapAnswer(2, "unix:///run/old", "ttrpc"));
        assertThat(Files.readAllBytes(bundle.path().resolve("stdin")))
                .isEqualTo(ShimStarter.any(OPTIONS.orElseThrow()).toByteArray());
        assertThat(written("runs").lines()).hasSize(2);

        starter.start(bundle, shim, OPTIONS, SOON);
        assertThat(written("runs").lines())
                .as("no second attempt for a known one")
                .hasSize(3);
    }

    @Test
    void failingShimIsQuoted() throws Exception {
        Path shim = shim("echo 'no kernel module kvm' >&2; exit 3");

        assertThatThrownBy(() -> starter.start(bundle, shim, OPTIONS, SOON))
                .isInstanceOf(UnknownException.class)
                .hasMessageContaining(shim.toString())
                .hasMessageContaining("c1")
                .hasMessageContaining("exit code 3")
                .hasMessageContaining("no kernel module kvm");
    }

    @Test
    void junkIsQuoted() throws Exception {
        Path shim = shim("echo 'Hello, I am the shim'");

        assertThatThrownBy(() -> starter.start(bundle, shim, OPTIONS, SOON))
                .isInstanceOf(UnknownException.class)
                .hasMessageContaining("Hello, I am the shim");
    }

    @Test
    void emptyAnswerIsSaidToBeEmpty() throws Exception {
        assertThatThrownBy(() -> starter.start(bundle, shim("exit 0"), OPTIONS, SOON))
                .isInstanceOf(UnknownException.class)
                .hasMessageContaining("an empty answer");
    }

    @Test
    void warningsOnStandardErrorDoNotSpoilTheAnswer() throws Exception {
        Path shim = shim("echo 'WARNING: deprecated' >&2; printf unix:///run/x");

        assertThat(starter.start(bundle, shim, OPTIONS, SOON).address()).isEqualTo("unix:///run/x");
    }

    @Test
    void versionOfTheFutureIsUnimplemented() throws Exception {
        Path shim = shim("printf '{\"version\":9,\"address\":\"unix:///run/x\",\"protocol\":\"ttrpc\"}'");

        assertThatThrownBy(() -> starter.start(bundle, shim, OPTIONS, SOON))
                .isInstanceOf(UnimplementedException.class)
                .hasMessageContaining("version 9");
    }

    @Test
    void hangingShimIsKilledAndQuoted() throws Exception {
        Path shim = shim("echo waiting for godot; echo $$ > pid; sleep 1000");

        assertThatThrownBy(() -> starter.start(bundle, shim, OPTIONS, Deadline.after(Duration.ofMillis(300))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("waiting for godot");
        long pid = Long.parseLong(written("pid").strip());
        ProcessHandle.of(pid).ifPresent(process -> process.onExit().join());
    }

    @Test
    void childThatKeepsTheOutputOpenDoesNotHoldUsUp() throws Exception {
        Path shim = shim("sleep 1000 & echo $! > child; printf unix:///run/x");
        Instant start = Instant.now();
        try {
            assertThat(starter.start(bundle, shim, OPTIONS, SOON).address()).isEqualTo("unix:///run/x");
            assertThat(Duration.between(start, Instant.now())).isLessThan(Duration.ofSeconds(30));
        } finally {
            ProcessHandle.of(Long.parseLong(written("child").strip())).ifPresent(ProcessHandle::destroyForcibly);
        }
    }

    @Test
    void endlessOutputIsBounded() throws Exception {
        Path shim = shim("yes junk");

        assertThatThrownBy(() -> starter.start(bundle, shim, OPTIONS, Deadline.after(Duration.ofMillis(300))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("junk junk")
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(2000));
    }

    @Test
    void programThatCannotBeRunSaysSo() throws Exception {
        Path shim = folder.resolve("containerd-shim-broken-v1");
        Files.writeString(shim, "#!/nonexistent/interpreter\n");
        assertThat(shim.toFile().setExecutable(true)).isTrue();

        assertThatThrownBy(() -> starter.start(bundle, shim, OPTIONS, SOON))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining(shim.toString());
    }

    @Test
    void deleteTellsHowTheTaskEnded() throws Exception {
        Path shim = shim("printf '%s\\n' \"$@\" > args; printf '\\010\\052\\020\\211\\001'");

        Exit exit = starter.delete(bundle, shim, SOON);

        assertThat(exit.pid()).isEqualTo(42);
        assertThat(exit.status()).isEqualTo(137);
        assertThat(written("args").lines())
                .endsWith("-debug", "-bundle", bundle.path().toString(), "delete");
    }

    @Test
    void failingDeleteIsQuoted() throws Exception {
        Path shim = shim("echo gone fishing >&2; exit 1");

        assertThatThrownBy(() -> starter.delete(bundle, shim, SOON))
                .isInstanceOf(UnknownException.class)
                .hasMessageContaining("gone fishing");
    }

    @Test
    void shimThatDoesNotKnowInfoIsUnimplemented() throws Exception {
        Path shim = shim("echo 'flag provided but not defined: -info' >&2; exit 2");

        assertThatThrownBy(() -> starter.info(shim, Optional.empty(), SOON))
                .isInstanceOf(UnimplementedException.class)
                .hasMessageContaining("-info");
    }

    private Path shim(String script) throws IOException {
        Path file = folder.resolve("containerd-shim-fake-v1");
        Files.write(file, ("#!/bin/sh\n" + script).getBytes(UTF_8));
        assertThat(file.toFile().setExecutable(true)).isTrue();
        return file;
    }

    private String written(String name) throws IOException {
        return Files.readString(bundle.path().resolve(name));
    }
}
