package dev.longshore.daemon.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.content.MeteredContentStore;
import dev.longshore.daemon.metadata.Image;
import dev.longshore.daemon.metadata.MetadataStore;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.daemon.transfer.TransferStores.Images;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.FileImporter;
import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.oci.Platform;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images that are named by the CID of their descriptor. Layers are not unpacked here. */
class IpfsPullTest {

    /** More than one block. */
    private static final String LAYER = "not a tar, but nobody unpacks it. ".repeat(20_000);

    private static final String CONFIG =
            "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}"
                    .formatted(Digest.sha256(bytes(LAYER)));

    @TempDir
    private Path folder;

    private final CallContext context = CallContext.of("default", Duration.ofMinutes(1));
    private final List<Progress> told = new ArrayList<>();
    private final Map<String, byte[]> elsewhere = new HashMap<>();
    private MetadataStore metadata;
    private ContentStore local;
    private ContentStore content;

    @BeforeEach
    void open() throws IOException {
        Clock clock = Clock.systemUTC();
        metadata = MetadataStore.open(Files.createDirectories(folder.resolve("metadata")), clock, _ -> {});
        local = new LocalContentStore(Files.createDirectories(folder.resolve("content")), clock);
        use(new FetchingStore(local, elsewhere));
    }

    @AfterEach
    void close() {
        metadata.close();
    }

    private void use(ContentStore backend) {
        content = metadata.content(backend, SharingPolicy.SHARED);
    }

    private void pull(String reference) {
        Images images = new Images() {
            @Override
            public Descriptor get(CallContext call, String name) {
                return metadata.images().get(call.requireNamespace(), name).target();
            }

            @Override
            public void put(CallContext call, String name, Descriptor target, Map<String, String> labels) {
                var _ = metadata.images().create(call, new Image(name, target, labels, Instant.EPOCH, Instant.EPOCH));
            }
        };
        Transfers transfers = new Transfers(
                new TransferStores(
                        content,
                        "shelf",
                        new MeteredContentStore(content),
                        images,
                        List::of,
                        Optional::empty,
                        name -> {
                            throw new NotFoundException("snapshotter " + name);
                        },
                        new TransferLeases(metadata.leases(), Clock.systemUTC())),
                TransferConfig.DEFAULT);
        StoredImage wanted = new StoredImage(
                reference,
                Map.of(),
                List.of(new Platform("linux", "amd64", "", "", List.of())),
                false,
                0,
                List.of(),
                List.of());
        transfers.pull(context, IpfsImage.parse(reference), wanted, told::add);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Puts it elsewhere. */
    private String add(String text) throws IOException {
        String cid = FileImporter.cid(new ByteArrayInputStream(bytes(text))).toString();
        elsewhere.put(cid, bytes(text));
        return cid;
    }

    private static String descriptor(String type, String text, String cid) {
        return "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d,\"urls\":[\"ipfs://%s\"]}"
                .formatted(type, Digest.sha256(bytes(text)), bytes(text).length, cid);
    }

    private static String manifest(String layerCid, String configCid) {
        return "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":%s,\"layers\":[%s]}"
                .formatted(
                        MediaTypes.OCI_MANIFEST,
                        descriptor(MediaTypes.OCI_CONFIG, CONFIG, configCid),
                        descriptor(MediaTypes.OCI_LAYER, LAYER, layerCid));
    }

    /** @return the reference of an image of one layer */
    private String publish(String layerCid) throws IOException {
        String manifest = manifest(layerCid, add(CONFIG));
        return "ipfs://" + add(descriptor(MediaTypes.OCI_MANIFEST, manifest, add(manifest)));
    }

    private void fails(String reference, Class<? extends ContainerdException> as, String... reasons) {
        assertThatThrownBy(() -> pull(reference)).isInstanceOf(as).hasMessageContainingAll(reasons);
        assertThat(metadata.images().list(context.requireNamespace(), List.of()))
                .isEmpty();
        assertThat(metadata.leases().list(context.requireNamespace(), List.of()))
                .isEmpty();
        assertThat(content.statuses(context, List.of())).isEmpty();
    }

    @Test
    void imageComesFromWhereItsDescriptorsSay() throws IOException {
        String reference = publish(add(LAYER));
        pull(reference);
        Descriptor manifest =
                metadata.images().get(context.requireNamespace(), reference).target();
        assertThat(content.info(context, Digest.sha256(bytes(LAYER))).size()).isEqualTo(bytes(LAYER).length);
        assertThat(content.info(context, manifest.digest()).labels())
                .containsEntry(
                        "containerd.io/gc.ref.content.l.0",
                        Digest.sha256(bytes(LAYER)).toString())
                // The document is kept as long as the image: whoever pulls by the CID can have it from here.
                .containsEntry(
                        "containerd.io/gc.ref.content.ipfs",
                        Cid.parse(reference.substring("ipfs://".length()))
                                .digest()
                                .orElseThrow()
                                .toString());
        assertThat(told)
                .extracting(Progress::event)
                .contains("complete")
                .endsWith("saved", "Completed pull from " + reference);
        assertThat(metadata.leases().list(context.requireNamespace(), List.of()))
                .isEmpty();
    }

    @Test
    void storeThatFetchesNothingIsNamedWithTheRemedy() throws IOException {
        use(local);
        fails(
                publish(add(LAYER)),
                FailedPreconditionException.class,
                "content store shelf cannot fetch ipfs://",
                "longshore-content-ipfs",
                "[proxy_plugins.ipfs]");
    }

    @Test
    void layerThatIsNowhereFailsThePull() throws IOException {
        String cid = FileImporter.cid(new ByteArrayInputStream(bytes(LAYER))).toString();
        fails(publish(cid), NotFoundException.class, cid);
    }

    @Test
    void otherLayerThanTheManifestSaysIsRefused() throws IOException {
        String cid = add("something else");
        fails(publish(cid), FailedPreconditionException.class, cid);
        assertThatThrownBy(() -> content.info(context, Digest.sha256(bytes(LAYER))))
                .isInstanceOf(NotFoundException.class);
    }

    @Test
    void slowBlobIsWaitedForAsLongAsThePullHasTime() throws IOException {
        FetchingStore slow = new FetchingStore(local, elsewhere);
        use(slow);
        for (int i = 0; i < 20; i++) {
            slow.trouble(new DeadlineExceededException("30 seconds are over"));
        }
        String reference = publish(add(LAYER));
        pull(reference);
        assertThat(metadata.images().get(context.requireNamespace(), reference).name())
                .isEqualTo(reference);
    }

    @Test
    void sourceThatFailsIsAskedAgainAFewTimes() throws IOException {
        FetchingStore failing = new FetchingStore(local, elsewhere);
        use(failing);
        failing.trouble(new UnavailableException("the gateway answered 502"));
        pull(publish(add(LAYER)));
        for (int i = 0; i < 10; i++) {
            failing.trouble(new UnavailableException("the gateway answered 502"));
        }
        assertThatThrownBy(() -> pull("ipfs://" + add(descriptor(MediaTypes.OCI_MANIFEST, "other", add("other")))))
                .isInstanceOf(UnavailableException.class)
                .hasMessageContaining("502");
    }

    @Test
    void descriptorWithoutAPlaceIsNamed() throws IOException {
        String manifest = manifest(add(LAYER), add(CONFIG)).replaceAll(",\"urls\":\\[\"ipfs://bafy[a-z0-9]*\"\\]", "");
        assertThat(manifest).contains("\"size\":%d}]".formatted(bytes(LAYER).length));
        fails(
                "ipfs://" + add(descriptor(MediaTypes.OCI_MANIFEST, manifest, add(manifest))),
                InvalidArgumentException.class,
                Digest.sha256(bytes(LAYER)).toString(),
                "no url that begins with ipfs://");
    }

    @Test
    void documentThatIsNoDescriptorIsRefused() throws IOException {
        fails("ipfs://" + add("[1]"), InvalidArgumentException.class, "the document at ipfs://bafkrei");
    }

    @Test
    void cidOfAFileInPartsNamesNoImage() {
        assertThatThrownBy(() -> IpfsImage.parse("ipfs://bafybeiftjlvgndy5qpfi3c5sqenecj6s3btv65ajymgcowlxddfihqbism"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("begins with bafkrei");
        assertThatThrownBy(() -> IpfsImage.parse("ipfs://registry.example/app:1"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("is no CID");
    }

    @Test
    void bytesThatTheStoreTookUnseenAreCompared() throws Exception {
        // The store keeps by digest what has another one, as one that is damaged would.
        String cid = add(LAYER);
        byte[] other = bytes(LAYER);
        other[100_000]++;
        Descriptor layer = new Descriptor(MediaTypes.OCI_LAYER, Digest.sha256(bytes(LAYER)), other.length);
        pull(publish(cid));
        Files.write(writable(layer.digest()), other);
        CallContext two = CallContext.of("two", Duration.ofMinutes(1));
        Blobs blobs = new Blobs(content, "shelf");
        assertThatThrownBy(() -> blobs.take(two, layer, Map.of(), Cid.parse(cid), new Ignoring()))
                .isInstanceOf(DataLossException.class)
                .hasMessageContainingAll(layer.digest().toString(), cid);
        assertThat(blobs.has(two, layer.digest())).isFalse();
    }

    @Test
    void blobThatWasOnlyDeclaredIsHereWhenItIsTaken() throws Exception {
        FetchingStore slow = new FetchingStore(local, elsewhere);
        use(slow);
        Blobs blobs = new Blobs(content, "shelf");
        Descriptor layer = new Descriptor(MediaTypes.OCI_LAYER, Digest.sha256(bytes(LAYER)), bytes(LAYER).length);
        Cid cid = Cid.parse(add(LAYER));
        assertThat(blobs.declare(context, layer, Map.of(), cid)).isTrue();
        assertThat(blobs.declare(context, layer, Map.of(), cid)).isFalse();
        slow.trouble(new DeadlineExceededException("30 seconds are over"));
        slow.trouble(new UnavailableException("the gateway answered 502"));
        blobs.take(context, layer, Map.of(), cid, new Ignoring());
        assertThat(slow.isCalm()).isTrue();
    }

    private Path writable(Digest digest) throws IOException {
        try (var files = Files.walk(folder.resolve("content"))) {
            Path blob = files.filter(file -> file.endsWith(digest.hex()))
                    .findFirst()
                    .orElseThrow();
            assertThat(blob.toFile().setWritable(true)).isTrue();
            return blob;
        }
    }

    private static final class Ignoring implements Blobs.Watcher {
        @Override
        public void begins(Optional<ContentReader> written) {
            written.ifPresent(ContentReader::close);
        }

        @Override
        public void advance(long count) {}

        @Override
        public void complete() {}

        @Override
        public void exists() {}
    }
}
