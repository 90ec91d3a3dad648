package dev.longshore.daemon.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.daemon.content.LocalContentStore;
import dev.longshore.daemon.content.MeteredContentStore;
import dev.longshore.daemon.metadata.Image;
import dev.longshore.daemon.metadata.MetadataStore;
import dev.longshore.daemon.metadata.MetadataStore.SharingPolicy;
import dev.longshore.daemon.transfer.StoredImage.ExtraReference;
import dev.longshore.daemon.transfer.TransferStores.Images;
import dev.longshore.sdk.content.ContentStore;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.oci.Platform;
import dev.longshore.sdk.tar.EntryType;
import dev.longshore.sdk.tar.TarEntry;
import dev.longshore.sdk.tar.TarWriter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Archives of images, good ones and hostile ones. Layers are not unpacked here. */
class ArchiveImportTest {

    private static final String NAME = "registry.example/app:1";
    private static final String LAYER = "not a tar, but nobody unpacks it";

    @TempDir
    private Path folder;

    private final CallContext context = CallContext.of("default", Duration.ofMinutes(1));
    private final List<Progress> told = new ArrayList<>();
    private MetadataStore metadata;
    private ContentStore content;
    private Transfers transfers;

    @BeforeEach
    void open() throws IOException {
        Clock clock = Clock.systemUTC();
        metadata = MetadataStore.open(Files.createDirectories(folder.resolve("metadata")), clock, _ -> {});
        content = metadata.content(
                new LocalContentStore(Files.createDirectories(folder.resolve("content")), clock), SharingPolicy.SHARED);
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
        transfers = new Transfers(
                new TransferStores(
                        content,
                        "content",
                        new MeteredContentStore(content),
                        images,
                        List::of,
                        Optional::empty,
                        name -> {
                            throw new NotFoundException("snapshotter " + name);
                        },
                        new TransferLeases(metadata.leases(), clock)),
                TransferConfig.DEFAULT);
    }

    @AfterEach
    void close() {
        metadata.close();
    }

    private void receive(Map<String, byte[]> files) throws IOException {
        StoredImage wanted = new StoredImage(
                "",
                Map.of(),
                List.of(new Platform("linux", "amd64", "", "", List.of())),
                false,
                0,
                List.of(),
                List.of(new ExtraReference("imported", true, true, false, false)));
        transfers.importArchive(context, new ByteArrayInputStream(tar(files)), wanted, told::add);
    }

    private static byte[] tar(Map<String, byte[]> files) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarWriter tar = new TarWriter(bytes)) {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                tar.write(TarEntry.builder(EntryType.FILE, file.getKey())
                        .size(file.getValue().length)
                        .build());
                tar.content(file.getValue(), 0, file.getValue().length);
                tar.endContent(file.getValue().length);
            }
        }
        return bytes.toByteArray();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String descriptor(String type, String text) {
        return "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d}"
                .formatted(type, Digest.sha256(bytes(text)), bytes(text).length);
    }

    private static void blob(Map<String, byte[]> files, String text) {
        files.put("blobs/sha256/" + Digest.sha256(bytes(text)).hex(), bytes(text));
    }

    /** An OCI layout with one image, whose manifest is changed by {@code change}. */
    private static Map<String, byte[]> layout(UnaryOperator<String> change) {
        String config =
                "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}"
                        .formatted(Digest.sha256(bytes(LAYER)));
        String manifest = change.apply("{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":%s,\"layers\":[%s]}"
                .formatted(
                        MediaTypes.OCI_MANIFEST,
                        descriptor(MediaTypes.OCI_CONFIG, config),
                        descriptor(MediaTypes.OCI_LAYER, LAYER)));
        Map<String, byte[]> files = new LinkedHashMap<>();
        blob(files, config);
        blob(files, LAYER);
        return index(files, MediaTypes.OCI_MANIFEST, manifest);
    }

    private static Map<String, byte[]> index(Map<String, byte[]> files, String type, String document) {
        blob(files, document);
        String entry = descriptor(type, document);
        files.put(
                "index.json",
                bytes("{\"schemaVersion\":2,\"manifests\":[%s,\"annotations\":{\"io.containerd.image.name\":\"%s\"}}]}"
                        .formatted(entry.substring(0, entry.length() - 1), NAME)));
        return files;
    }

    private List<String> names() {
        return metadata.images().list(context.requireNamespace(), List.of()).stream()
                .map(Image::name)
                .toList();
    }

    private void refuses(Map<String, byte[]> files, String reason) {
        assertThatThrownBy(() -> receive(files))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(reason);
        assertThat(names()).isEmpty();
        assertThat(metadata.leases().list(context.requireNamespace(), List.of()))
                .isEmpty();
        assertThat(content.statuses(context, List.of())).isEmpty();
    }

    @Test
    void layoutIsStoredUnderTheNameThatItHas() throws IOException {
        receive(layout(UnaryOperator.identity()));
        assertThat(names()).containsExactly(NAME);
        assertThat(content.info(context, Digest.sha256(bytes(LAYER))).size()).isEqualTo(LAYER.length());
        Descriptor manifest =
                metadata.images().get(context.requireNamespace(), NAME).target();
        assertThat(content.info(context, manifest.digest()).labels())
                .containsEntry(
                        "containerd.io/gc.ref.content.l.0",
                        Digest.sha256(bytes(LAYER)).toString());
        assertThat(told).extracting(Progress::event).startsWith("Importing").endsWith("saved", "Completed import");
        assertThat(metadata.leases().list(context.requireNamespace(), List.of()))
                .isEmpty();
    }

    @Test
    void whatDockerSavedBeforeItWroteLayoutsGetsAManifest() throws IOException {
        String config =
                "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}"
                        .formatted(Digest.sha256(bytes(LAYER)));
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put("config.json", bytes(config));
        files.put("one/layer.tar", bytes(LAYER));
        files.put(
                "manifest.json",
                bytes("[{\"Config\":\"config.json\",\"RepoTags\":[\"app:2\"],\"Layers\":[\"one/layer.tar\"]}]"));
        receive(files);
        assertThat(names()).containsExactly("docker.io/library/app:2");
    }

    @Test
    void blobThatIsNotWhatItsNameSaysIsRefused() {
        Map<String, byte[]> files = layout(UnaryOperator.identity());
        files.put("blobs/sha256/" + Digest.sha256(bytes(LAYER)).hex(), bytes(LAYER.toUpperCase(Locale.ROOT)));
        refuses(files, "damaged or forged");
    }

    @Test
    void imageThatIsNotWholeIsRefused() {
        Map<String, byte[]> files = layout(UnaryOperator.identity());
        files.remove("blobs/sha256/" + Digest.sha256(bytes(LAYER)).hex());
        refuses(files, "lacks");
    }

    @Test
    void manifestThatIsAnIndexTooIsRefused() {
        refuses(
                layout(text -> text.replace("\"schemaVersion\":2,", "\"schemaVersion\":2,\"manifests\":[],")),
                "at once");
    }

    @Test
    void configurationThatSaysToBeHugeIsRefused() {
        refuses(layout(text -> text.replaceFirst("\"size\":[0-9]+", "\"size\":100000000")), "limit");
    }

    @Test
    void indexesThatGoDeeperThanAnybodyNeedsAreRefused() {
        Map<String, byte[]> files = new LinkedHashMap<>();
        String document = "{\"schemaVersion\":2,\"manifests\":[]}";
        for (int depth = 0; depth < 6; depth++) {
            blob(files, document);
            document = "{\"schemaVersion\":2,\"manifests\":[%s]}".formatted(descriptor(MediaTypes.OCI_INDEX, document));
        }
        refuses(index(files, MediaTypes.OCI_INDEX, document), "nested");
    }

    @Test
    void archiveWithoutAnImageIsRefused() {
        refuses(Map.of("README", bytes("nothing")), "no image");
    }

    @Test
    void archiveThatBreaksOffLeavesNoImage() throws IOException {
        byte[] whole = tar(layout(UnaryOperator.identity()));
        byte[] half = Arrays.copyOf(whole, 700);
        StoredImage wanted = new StoredImage("app", Map.of(), List.of(), false, 0, List.of(), List.of());
        assertThatThrownBy(() -> transfers.importArchive(context, new ByteArrayInputStream(half), wanted, told::add))
                .hasMessageContaining("archive");
        assertThat(names()).isEmpty();
        assertThat(content.statuses(context, List.of())).isEmpty();
    }

    @Test
    void imageOfAnotherPlatformIsNotTaken() {
        Map<String, byte[]> other = new LinkedHashMap<>();
        String config =
                "{\"os\":\"linux\",\"architecture\":\"s390x\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
        blob(other, config);
        String manifest = "{\"schemaVersion\":2,\"config\":%s,\"layers\":[]}"
                .formatted(descriptor(MediaTypes.OCI_CONFIG, config));
        Map<String, byte[]> files = index(other, MediaTypes.OCI_MANIFEST, manifest);
        assertThatThrownBy(() -> receive(files))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("platform");
        assertThat(names()).isEmpty();
    }
}
