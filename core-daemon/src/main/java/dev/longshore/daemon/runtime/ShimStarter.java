package dev.longshore.daemon.runtime;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.longshore.api.runtime.bootstrap.v1.BootstrapParams;
import dev.longshore.api.runtime.bootstrap.v1.Extension;
import dev.longshore.api.runtime.bootstrap.v1.LogLevel;
import dev.longshore.api.task.v3.DeleteResponse;
import dev.longshore.api.types.RuntimeInfo;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.InternalException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.errors.UnknownException;
import dev.longshore.sdk.typeurl.TypedValue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs shim programs: {@code start}, {@code delete} and {@code -info}.
 *
 * <p>Since containerd 2.3 a shim reads {@code BootstrapParams} from its standard input at {@code start}. Before, it read
 * the runtime's options, a bare {@code google.protobuf.Any}, and those of 1.x and 2.0 end with an error when they read
 * anything else. Nothing tells them apart before they run, so a program that fails is run a second time in the old way,
 * and one that answers then is remembered as old for as long as the file does not change.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/core/runtime/v2/README.md">Runtime v2</a>
 */
final class ShimStarter {

    private static final Logger LOG = LoggerFactory.getLogger(ShimStarter.class);

    /** The version that we take after, for shims that ask. */
    private static final String CONTAINERD_VERSION = "2.3.4";

    private final RuntimeConfig config;
    private final Map<Path, FileTime> readBareOptions = new ConcurrentHashMap<>();

    ShimStarter(RuntimeConfig config) {
        this.config = config;
    }

    /**
     * Starts a shim for the bundle, or has one that is up take it.
     *
     * @param options of the runtime
     * @return how to reach it
     * @throws UnknownException if it failed, or answered something that is no answer
     * @throws UnimplementedException if it speaks a version or protocol that we do not
     */
    BootstrapAnswer start(Bundle bundle, Path binary, Optional<TypedValue> options, Deadline deadline) {
        boolean old = isKnownAsOld(binary);
        ShimCommand.Result result = start(bundle, binary, options, old, deadline);
        String said = result.said();
        if (result.exitCode() != 0 && !old) {
            result = start(bundle, binary, options, true, deadline);
            if (result.exitCode() == 0) {
                rememberAsOld(binary);
            } else if (!result.said().equals(said)) {
                said = "%s; and when given bare options: %s".formatted(said, result.said());
            }
        }
        if (result.exitCode() != 0) {
            throw new UnknownException("shim %s did not start task %s, exit code %d: %s"
                    .formatted(binary, bundle.id(), result.exitCode(), said));
        }
        return answer(bundle, binary, result);
    }

    private static BootstrapAnswer answer(Bundle bundle, Path binary, ShimCommand.Result result) {
        try {
            BootstrapAnswer answer = BootstrapAnswer.parse(result.output().toByteArray());
            if (!result.errors().isBlank()) {
                LOG.atWarn()
                        .addKeyValue("namespace", bundle.namespace())
                        .addKeyValue("id", bundle.id())
                        .addKeyValue("output", result.errors().strip())
                        .log("Shim started with warnings");
            }
            return answer;
        } catch (InvalidArgumentException e) {
            throw new UnknownException(
                    "shim %s started task %s but does not say how it is reached: %s; it said: %s"
                            .formatted(binary, bundle.id(), e.getMessage(), result.said()),
                    e);
        } catch (UnimplementedException e) {
            throw new UnimplementedException(
                    "shim %s of task %s speaks %s".formatted(binary, bundle.id(), e.getMessage()));
        }
    }

    private ShimCommand.Result start(
            Bundle bundle, Path binary, Optional<TypedValue> options, boolean old, Deadline deadline) {
        ByteString input;
        if (old) {
            input = options.map(value -> any(value).toByteString()).orElse(ByteString.EMPTY);
        } else {
            BootstrapParams.Builder params = BootstrapParams.newBuilder()
                    .setInstanceId(bundle.id())
                    .setNamespace(bundle.namespace().value())
                    .setLogLevel(config.debug() ? LogLevel.LOG_LEVEL_DEBUG : LogLevel.LOG_LEVEL_INFO)
                    .setContainerdVersion(CONTAINERD_VERSION)
                    .setContainerdGrpcAddress(config.grpcAddress())
                    .setContainerdTtrpcAddress(config.ttrpcAddress())
                    .setContainerdBinary(config.publishBinary())
                    .setSocketDir(config.socketDir().toString());
            options.ifPresent(
                    value -> params.addExtensions(Extension.newBuilder().setValue(any(value))));
            input = params.build().toByteString();
        }
        List<String> arguments = arguments(bundle, binary);
        arguments.add("start");
        return new ShimCommand(arguments, Optional.of(bundle.path()), environment(bundle), input).run(deadline);
    }

    /**
     * Has the program end what is left of the task, and says how the task ended. The bundle stays.
     *
     * @throws UnknownException if it failed
     */
    Exit delete(Bundle bundle, Path binary, Deadline deadline) {
        List<String> arguments = arguments(bundle, binary);
        arguments.add("-bundle");
        arguments.add(bundle.path().toString());
        arguments.add("delete");
        ShimCommand.Result result = new ShimCommand(
                        arguments, Optional.of(bundle.path()), environment(bundle), ByteString.EMPTY)
                .run(deadline);
        if (result.exitCode() != 0) {
            throw new UnknownException("shim %s did not clean up task %s, exit code %d: %s"
                    .formatted(binary, bundle.id(), result.exitCode(), result.said()));
        }
        if (!result.errors().isBlank()) {
            LOG.atWarn()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .addKeyValue("output", result.errors().strip())
                    .log("Shim cleaned up with warnings");
        }
        try {
            DeleteResponse response = DeleteResponse.parseFrom(result.output());
            return new Exit(
                    response.getPid(),
                    response.getExitStatus(),
                    response.hasExitedAt() ? Instants.from(response.getExitedAt()) : Instant.now());
        } catch (InvalidProtocolBufferException e) {
            throw new UnknownException(
                    "shim %s cleaned up task %s but did not say how it ended: %s"
                            .formatted(binary, bundle.id(), result.said()),
                    e);
        }
    }

    /**
     * Asks the program about the runtime that it drives.
     *
     * @throws UnimplementedException if it does not know the question
     */
    RuntimeInfo info(Path binary, Optional<TypedValue> options, Deadline deadline) {
        ByteString input = options.map(value -> any(value).toByteString()).orElse(ByteString.EMPTY);
        ShimCommand.Result result =
                new ShimCommand(List.of(binary.toString(), "-info"), Optional.empty(), Map.of(), input).run(deadline);
        if (result.exitCode() != 0) {
            throw new UnimplementedException("shim %s does not answer -info, exit code %d: %s"
                    .formatted(binary, result.exitCode(), result.said()));
        }
        try {
            return RuntimeInfo.parseFrom(result.output());
        } catch (InvalidProtocolBufferException e) {
            throw new InternalException(
                    "shim %s answered -info with something else: %s".formatted(binary, result.said()), e);
        }
    }

    private List<String> arguments(Bundle bundle, Path binary) {
        List<String> arguments = new ArrayList<>(List.of(
                binary.toString(),
                "-namespace",
                bundle.namespace().value(),
                "-address",
                config.grpcAddress(),
                "-publish-binary",
                config.publishBinary(),
                "-id",
                bundle.id()));
        if (config.debug()) {
            arguments.add("-debug");
        }
        return arguments;
    }

    private Map<String, String> environment(Bundle bundle) {
        Map<String, String> environment = new LinkedHashMap<>();
        environment.put("GOMAXPROCS", "2");
        environment.put("MAX_SHIM_VERSION", "2");
        environment.put("TTRPC_ADDRESS", config.ttrpcAddress());
        environment.put("GRPC_ADDRESS", config.grpcAddress());
        environment.put("NAMESPACE", bundle.namespace().value());
        environment.putAll(config.shimEnvironment());
        return environment;
    }

    private boolean isKnownAsOld(Path binary) {
        // These two are as old as 1.x, whatever their file.
        String name = binary.getFileName().toString();
        FileTime known = readBareOptions.get(binary);
        return name.contains("shim-runc-v1")
                || name.contains("shim-runhcs-v1")
                || (known != null && known.equals(modified(binary)));
    }

    private void rememberAsOld(Path binary) {
        readBareOptions.put(binary, modified(binary));
    }

    private static FileTime modified(Path binary) {
        try {
            return Files.getLastModifiedTime(binary);
        } catch (IOException e) {
            throw new UncheckedIOException("shim " + binary + " cannot be read", e);
        }
    }

    static Any any(TypedValue value) {
        return Any.newBuilder()
                .setTypeUrl(value.typeUrl())
                .setValue(ByteString.copyFrom(value.value()))
                .build();
    }
}
