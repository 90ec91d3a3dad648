package dev.longshore.daemon.service;

import com.google.protobuf.Empty;
import dev.longshore.api.services.version.v1.VersionGrpc;
import dev.longshore.api.services.version.v1.VersionResponse;
import dev.longshore.transport.grpc.Unary;
import io.grpc.stub.StreamObserver;

/** Serves {@code containerd.services.version.v1.Version}. */
public final class VersionService extends VersionGrpc.VersionImplBase {

    private final String version;

    public VersionService(String version) {
        this.version = version;
    }

    @Override
    public void version(Empty request, StreamObserver<VersionResponse> observer) {
        Unary.answer(
                observer,
                () -> VersionResponse.newBuilder()
                        .setVersion(version)
                        .setRevision("longshore")
                        .build());
    }
}
