package dev.longshore.daemon.service;

import com.google.protobuf.Any;
import com.google.protobuf.Empty;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Parser;
import dev.longshore.api.services.transfer.v1.TransferGrpc;
import dev.longshore.api.services.transfer.v1.TransferRequest;
import dev.longshore.api.types.transfer.HTTPDebug;
import dev.longshore.api.types.transfer.ImageExportStream;
import dev.longshore.api.types.transfer.ImageImportStream;
import dev.longshore.api.types.transfer.ImageStore;
import dev.longshore.api.types.transfer.OCIRegistry;
import dev.longshore.api.types.transfer.RegistryResolver;
import dev.longshore.daemon.service.TransferStreams.ProgressStream;
import dev.longshore.daemon.transfer.ExportedImage;
import dev.longshore.daemon.transfer.IpfsImage;
import dev.longshore.daemon.transfer.Progress;
import dev.longshore.daemon.transfer.RegistryImage;
import dev.longshore.daemon.transfer.StoredImage;
import dev.longshore.daemon.transfer.StoredImage.ExtraReference;
import dev.longshore.daemon.transfer.StoredImage.Unpack;
import dev.longshore.daemon.transfer.Transfers;
import dev.longshore.registry.Credentials;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.oci.Platform;
import dev.longshore.sdk.oci.Reference;
import dev.longshore.transport.grpc.CallContexts;
import dev.longshore.transport.grpc.Unary;
import io.grpc.Context;
import io.grpc.stub.StreamObserver;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Serves {@code containerd.services.transfer.v1.Transfer}: images from registries and archives to the store and back. A transfer ends
 * with its call.
 */
public final class TransferService extends TransferGrpc.TransferImplBase {

    private static final String REGISTRY = OCIRegistry.getDescriptor().getFullName();
    private static final String STORE = ImageStore.getDescriptor().getFullName();
    private static final String IMPORT = ImageImportStream.getDescriptor().getFullName();
    private static final String EXPORT = ImageExportStream.getDescriptor().getFullName();

    private final Transfers transfers;
    private final StreamingService streams;

    public TransferService(Transfers transfers, StreamingService streams) {
        this.transfers = transfers;
        this.streams = streams;
    }

    @Override
    public void transfer(TransferRequest request, StreamObserver<Empty> observer) {
        Unary.answerEmpty(observer, () -> {
            // Whatever the transfer waits for, it ends when the client gives up.
            Thread worker = Thread.currentThread();
            Context.CancellationListener giveUp = _ -> worker.interrupt();
            Context.current().addListener(giveUp, Runnable::run);
            try (Opened opened = new Opened(CallContexts.current())) {
                opened.run(request);
            } catch (InterruptedException e) {
                throw new CanceledException("the transfer was given up", e);
            } finally {
                Context.current().removeListener(giveUp);
                boolean _ = Thread.interrupted(); // the thread goes on to other calls
            }
        });
    }

    /** One transfer, with the streams of its client that it uses. */
    private final class Opened implements AutoCloseable {

        private final CallContext context;
        private final List<ClientStream> taken = new ArrayList<>();

        Opened(CallContext context) {
            this.context = context;
        }

        private ClientStream take(String id) {
            ClientStream stream = streams.take(context.requireNamespace(), id);
            taken.add(stream);
            return stream;
        }

        void run(TransferRequest request) throws InterruptedException {
            String id = request.getOptions().getProgressStream();
            if (id.isEmpty()) {
                run(request, _ -> {});
                return;
            }
            try (ProgressStream progress = new ProgressStream(take(id))) {
                run(request, progress);
            }
        }

        private void run(TransferRequest request, Consumer<Progress> progress) {
            Any source = request.getSource();
            Any destination = request.getDestination();
            String from = Types.typed(source).typeName();
            String to = Types.typed(destination).typeName();
            if (from.equals(REGISTRY) && to.equals(STORE)) {
                pull(parse(source, OCIRegistry.parser()), store(destination), progress);
            } else if (from.equals(STORE) && to.equals(REGISTRY)) {
                transfers.push(context, store(source), registry(parse(destination, OCIRegistry.parser())), progress);
            } else if (from.equals(IMPORT) && to.equals(STORE)) {
                ImageImportStream stream = parse(source, ImageImportStream.parser());
                transfers.importArchive(
                        context, TransferStreams.input(take(stream.getStream())), store(destination), progress);
            } else if (from.equals(STORE) && to.equals(EXPORT)) {
                ImageExportStream stream = parse(destination, ImageExportStream.parser());
                transfers.exportArchive(
                        context,
                        store(source),
                        new ExportedImage(
                                platforms(stream.getPlatformsList()),
                                stream.getAllPlatforms(),
                                stream.getSkipCompatibilityManifest(),
                                stream.getSkipNonDistributable()),
                        TransferStreams.output(take(stream.getStream())),
                        progress);
            } else if (from.equals(STORE) && to.equals(STORE)) {
                transfers.tag(context, store(source), store(destination));
            } else {
                throw new UnimplementedException(
                        "nothing is transferred from \"%.80s\" to \"%.80s\"".formatted(from, to));
            }
        }

        /** Clients know no other source than registries, so a name tells what is none. */
        private void pull(OCIRegistry from, StoredImage wanted, Consumer<Progress> progress) {
            if (IpfsImage.isReference(from.getReference())) {
                transfers.pull(context, IpfsImage.parse(from.getReference()), wanted, progress);
            } else {
                transfers.pull(context, registry(from), wanted, progress);
            }
        }

        private RegistryImage registry(OCIRegistry registry) {
            RegistryResolver resolver = registry.getResolver();
            if (resolver.getHttpDebug() != HTTPDebug.DISABLED) {
                throw new UnimplementedException("requests to registries are not traced: leave http_debug out");
            }
            Credentials credentials = resolver.getAuthStream().isEmpty()
                    ? Credentials.NONE
                    : TransferStreams.credentials(take(resolver.getAuthStream()), registry.getReference());
            return new RegistryImage(
                    Reference.parse(registry.getReference()),
                    resolver.getHostDir().isEmpty() ? List.of() : List.of(Path.of(resolver.getHostDir())),
                    resolver.getDefaultScheme().equals("http"),
                    Map.copyOf(resolver.getHeadersMap()),
                    credentials);
        }

        @Override
        public void close() {
            taken.forEach(ClientStream::close);
        }
    }

    private static StoredImage store(Any any) {
        ImageStore store = parse(any, ImageStore.parser());
        return new StoredImage(
                store.getName(),
                store.getLabelsMap(),
                platforms(store.getPlatformsList()),
                store.getAllMetadata(),
                store.getManifestLimit(),
                store.getUnpacksList().stream()
                        .map(unpack -> new Unpack(platform(unpack.getPlatform()), unpack.getSnapshotter()))
                        .toList(),
                store.getExtraReferencesList().stream()
                        .map(reference -> new ExtraReference(
                                reference.getName(),
                                reference.getIsPrefix(),
                                reference.getAllowOverwrite(),
                                reference.getAddDigest(),
                                reference.getSkipNamedDigest()))
                        .toList());
    }

    private static List<Platform> platforms(List<dev.longshore.api.types.Platform> platforms) {
        return platforms.stream().map(TransferService::platform).toList();
    }

    private static Platform platform(dev.longshore.api.types.Platform platform) {
        return new Platform(
                platform.getOs(),
                platform.getArchitecture(),
                platform.getVariant(),
                platform.getOsVersion(),
                List.of());
    }

    private static <M> M parse(Any any, Parser<M> parser) {
        try {
            return parser.parseFrom(any.getValue());
        } catch (InvalidProtocolBufferException e) {
            throw new InvalidArgumentException(
                    "\"%.80s\" cannot be read: %s".formatted(any.getTypeUrl(), e.getMessage()), e);
        }
    }
}
