package dev.longshore.daemon.service;

import dev.longshore.api.longshore.services.plugins.v1.PluginChange;
import dev.longshore.api.longshore.services.plugins.v1.PluginsGrpc;
import dev.longshore.api.longshore.services.plugins.v1.ReloadRequest;
import dev.longshore.api.longshore.services.plugins.v1.ReloadResponse;
import dev.longshore.daemon.plugin.ReloadReport;
import dev.longshore.transport.grpc.Unary;
import io.grpc.stub.StreamObserver;
import java.util.function.Supplier;

/** Serves {@code dev.longshore.services.plugins.v1.Plugins}, which containerd does not have. */
public final class PluginsService extends PluginsGrpc.PluginsImplBase {

    private final Supplier<ReloadReport> reload;

    /** @param reload reads the configuration again, and throws if it is broken */
    public PluginsService(Supplier<ReloadReport> reload) {
        this.reload = reload;
    }

    @Override
    public void reload(ReloadRequest request, StreamObserver<ReloadResponse> observer) {
        Unary.answer(observer, () -> {
            ReloadReport report = reload.get();
            return ReloadResponse.newBuilder()
                    .addAllChanges(
                            report.changes().stream().map(PluginsService::proto).toList())
                    .addAllNeedsRestart(report.needsRestart())
                    .addAllWarnings(report.warnings())
                    .build();
        });
    }

    private static PluginChange proto(ReloadReport.Change change) {
        return PluginChange.newBuilder()
                .setPlugin(change.plugin())
                .setAction(
                        switch (change.action()) {
                            case ADDED -> PluginChange.Action.ADDED;
                            case CHANGED -> PluginChange.Action.CHANGED;
                            case REMOVED -> PluginChange.Action.REMOVED;
                            case REFUSED -> PluginChange.Action.REFUSED;
                        })
                .setReason(change.reason())
                .build();
    }
}
