package dev.longshore.daemon.service;

import com.google.rpc.Status;
import dev.longshore.api.services.introspection.v1.IntrospectionGrpc;
import dev.longshore.api.services.introspection.v1.PluginInfoRequest;
import dev.longshore.api.services.introspection.v1.PluginInfoResponse;
import dev.longshore.api.services.introspection.v1.PluginsRequest;
import dev.longshore.api.services.introspection.v1.PluginsResponse;
import dev.longshore.api.services.introspection.v1.ServerResponse;
import dev.longshore.api.types.Platform;
import dev.longshore.daemon.plugin.Plugin;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.ErrorClass;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.typeurl.TypedValue;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** Serves {@code containerd.services.introspection.v1.Introspection}. */
public final class IntrospectionService extends IntrospectionGrpc.IntrospectionImplBase {

    private final Supplier<List<Plugin>> plugins;
    private final ServerIdentity identity;
    private final RuntimeInfo runtimeInfo;

    /**
     * Who this daemon is.
     *
     * @param uuid the same after a restart
     * @param pidNamespace inode of its pid namespace
     */
    public record ServerIdentity(String uuid, long pid, long pidNamespace) {}

    /** Asks a runtime's shim about itself. */
    @FunctionalInterface
    public interface RuntimeInfo {

        /** The {@code containerd.types.RuntimeInfo} of the shim, packed. */
        TypedValue runtimeInfo(CallContext context, Optional<TypedValue> options);
    }

    public IntrospectionService(Supplier<List<Plugin>> plugins, ServerIdentity identity, RuntimeInfo runtimeInfo) {
        this.plugins = plugins;
        this.identity = identity;
        this.runtimeInfo = runtimeInfo;
    }

    @Override
    public void plugins(PluginsRequest request, StreamObserver<PluginsResponse> observer) {
        Unary.answer(observer, () -> {
            Filter filter = Filter.any(request.getFiltersList());
            return PluginsResponse.newBuilder()
                    .addAllPlugins(plugins.get().stream()
                            .filter(plugin -> filter.matches(plugin.fields()))
                            .map(IntrospectionService::proto)
                            .toList())
                    .build();
        });
    }

    @Override
    public void server(com.google.protobuf.Empty request, StreamObserver<ServerResponse> observer) {
        Unary.answer(
                observer,
                () -> ServerResponse.newBuilder()
                        .setUuid(identity.uuid())
                        .setPid(identity.pid())
                        .setPidns(identity.pidNamespace())
                        .build());
    }

    @Override
    public void pluginInfo(PluginInfoRequest request, StreamObserver<PluginInfoResponse> observer) {
        Unary.answer(observer, () -> {
            CallContext context = CallContexts.current();
            Plugin plugin = plugins.get().stream()
                    .filter(candidate -> candidate.type().equals(request.getType())
                            && candidate.id().equals(request.getId()))
                    .findFirst()
                    .orElseThrow(
                            () -> new NotFoundException("plugin %s.%s".formatted(request.getType(), request.getId())));
            PluginInfoResponse.Builder response =
                    PluginInfoResponse.newBuilder().setPlugin(proto(plugin));
            if (plugin.type().equals("io.containerd.runtime.v2")) {
                response.setExtra(Types.any(
                        runtimeInfo.runtimeInfo(context, Types.typed(request.hasOptions(), request.getOptions()))));
            }
            return response.build();
        });
    }

    private static dev.longshore.api.services.introspection.v1.Plugin proto(Plugin plugin) {
        var builder = dev.longshore.api.services.introspection.v1.Plugin.newBuilder()
                .setType(plugin.type())
                .setId(plugin.id())
                .addAllRequires(plugin.requires())
                .addAllPlatforms(plugin.platforms().stream()
                        .map(IntrospectionService::platform)
                        .toList())
                .putAllExports(plugin.exports())
                .addAllCapabilities(plugin.capabilities());
        plugin.problem().get().ifPresent(problem -> {
            ErrorClass errorClass = ErrorClass.of(problem);
            builder.setInitErr(
                    Status.newBuilder().setCode(errorClass.code()).setMessage(String.valueOf(problem.getMessage())));
        });
        return builder.build();
    }

    private static Platform platform(String text) {
        String[] parts = text.split("/", 3);
        return Platform.newBuilder()
                .setOs(parts[0])
                .setArchitecture(parts.length > 1 ? parts[1] : "")
                .setVariant(parts.length > 2 ? parts[2] : "")
                .build();
    }
}
