package dev.longshore.testkit;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.longshore.api.runtime.bootstrap.v1.BootstrapParams;
import dev.longshore.api.runtime.bootstrap.v1.BootstrapResult;
import dev.longshore.api.runtime.bootstrap.v1.Extension;
import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A shim's program, called as containerd calls it.
 *
 * @param path of the program
 * @param environment what is added to this process' own
 * @param grpcAddress what the shim is told is the daemon's socket; part of the name of its own
 * @param takesBootstrapParams whether it is told so on its standard input, as of containerd 2.3; an older one gets the runtime
 *     options alone
 * @param ttrpcAddress where it sends its events
 */
public record ShimProgram(
        Path path, Map<String, String> environment, boolean takesBootstrapParams, Path grpcAddress, Path ttrpcAddress) {

    private static final Duration PATIENCE = Duration.ofMinutes(2);

    /**
     * What a shim answers to {@code start}.
     *
     * @param version of the Task service: 2 or 3
     */
    public record Started(int version, String address, String protocol) {

        /** Takes the answer apart in any of its three forms: a BootstrapResult, JSON, or the address alone. */
        static Started parse(byte[] answer) {
            String text = new String(answer, StandardCharsets.UTF_8).strip();
            if (text.startsWith("{")) {
                Map<String, Object> json = Json.object(answer, "answer to start");
                return new Started(
                        ((Number) json.getOrDefault("version", 2)).intValue(),
                        String.valueOf(json.get("address")),
                        String.valueOf(json.get("protocol")));
            }
            if (text.startsWith("unix://")) {
                return new Started(2, text, "ttrpc");
            }
            try {
                BootstrapResult result = BootstrapResult.parseFrom(answer);
                return new Started(result.getVersion(), result.getAddress(), result.getProtocol());
            } catch (InvalidProtocolBufferException e) {
                throw new AssertionError("answer to start is of no known form: " + text, e);
            }
        }

        /** The name of its Task service. */
        public String service() {
            return "containerd.task.v%d.Task".formatted(version);
        }
    }

    /** Starts a shim for a container, or finds the one that will look after it. */
    public Started start(String namespace, String id, Path bundle, Any options) throws IOException {
        BootstrapParams params = BootstrapParams.newBuilder()
                .setInstanceId(id)
                .setNamespace(namespace)
                .setContainerdGrpcAddress(grpcAddress.toString())
                .setContainerdTtrpcAddress(ttrpcAddress.toString())
                .setContainerdBinary("/bin/false")
                .addExtensions(Extension.newBuilder().setValue(options))
                .build();
        byte[] input = (takesBootstrapParams ? params : options).toByteArray();
        return Started.parse(call(namespace, id, bundle, input, "start"));
    }

    /** Calls it with an action, and answers what it printed. */
    public byte[] call(String namespace, String id, Path bundle, byte[] input, String action) throws IOException {
        return run(
                bundle,
                input,
                List.of(
                        "-namespace",
                        namespace,
                        "-address",
                        grpcAddress.toString(),
                        "-publish-binary",
                        "/bin/false",
                        "-id",
                        id,
                        "-bundle",
                        bundle.toString(),
                        action));
    }

    /** Runs it in {@code folder}, and answers what it printed. Fails if it does. */
    public byte[] run(Path folder, byte[] input, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(path.toString()));
        command.addAll(arguments);
        Path in = Files.createTempFile("shim-in", "");
        Path out = Files.createTempFile("shim-out", "");
        Path err = Files.createTempFile("shim-err", "");
        try {
            Files.write(in, input);
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectInput(in.toFile())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile());
            builder.environment()
                    .putAll(Map.of(
                            "TTRPC_ADDRESS",
                            ttrpcAddress.toString(),
                            "GRPC_ADDRESS",
                            grpcAddress.toString(),
                            "MAX_SHIM_VERSION",
                            "2",
                            "GOMAXPROCS",
                            "2"));
            builder.environment().putAll(environment);
            Process process = builder.start();
            if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new AssertionError("%s did not end within %s".formatted(command, PATIENCE));
            }
            if (process.exitValue() != 0) {
                throw new AssertionError("%s ended with %d: %s%s"
                        .formatted(command, process.exitValue(), Files.readString(out), Files.readString(err)));
            }
            return Files.readAllBytes(out);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while running " + command, e);
        } finally {
            Files.delete(in);
            Files.delete(out);
            Files.delete(err);
        }
    }
}
