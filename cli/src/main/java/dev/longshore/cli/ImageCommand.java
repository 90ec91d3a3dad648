package dev.longshore.cli;

import dev.longshore.api.services.images.v1.Image;
import dev.longshore.cli.daemon.Daemon;
import dev.longshore.cli.daemon.Leased;
import dev.longshore.cli.image.ImageStore;
import dev.longshore.cli.image.LazyLayers;
import dev.longshore.cli.text.Amounts;
import dev.longshore.cli.text.Progress;
import dev.longshore.cli.text.Table;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code longshore image}. */
@Command(
        name = "image",
        description =
                "Imports, lists, unpacks, converts, optimizes, encrypts, decrypts, gives to IPFS and removes images.",
        mixinStandardHelpOptions = true,
        subcommands = {
            ImageCommand.Import.class,
            ImageCommand.ListImages.class,
            ImageCommand.Unpack.class,
            ImageConvertCommand.class,
            ImageOptimizeCommand.class,
            ImageEncryptCommand.class,
            ImageDecryptCommand.class,
            ImagePushIpfsCommand.class,
            ImageCommand.Lazy.class,
            ImageCommand.Remove.class
        })
final class ImageCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    /** {@code longshore image import}. */
    @Command(
            name = "import",
            description = "Imports an archive: an OCI image layout in a tar, or what docker save writes.",
            footerHeading = "%nExamples:%n",
            footer = {
                "  longshore image import app.tar",
                "  docker save app:1 | longshore image import -",
                "  skopeo copy docker://docker.io/library/alpine:3 oci-archive:alpine.tar:3",
                "  longshore image import --name docker.io/library/alpine:3 alpine.tar"
            })
    static final class Import extends DaemonCommand {

        @Parameters(paramLabel = "FILE", description = "the archive; - reads it from standard input")
        private String file = "";

        @Option(
                names = "--name",
                paramLabel = "NAME",
                description =
                        "the image's name, where the archive has only a tag or none; the tag is added unless it is given")
        private String name = "";

        @Option(names = "--no-unpack", description = "do not unpack the layers now; running the image will")
        private boolean noUnpack;

        @Option(
                names = "--snapshotter",
                paramLabel = "NAME",
                defaultValue = "overlayfs",
                description = "unpack with this snapshotter (default: ${DEFAULT-VALUE})")
        private String snapshotter = "overlayfs";

        @Override
        int run(Daemon daemon) throws IOException {
            Path archive = file.equals("-") ? spool() : Path.of(file);
            try (Progress progress = Progress.onStandardError()) {
                List<String> names =
                        new ImageStore(daemon, snapshotter).importArchive(archive, name, !noUnpack, progress);
                Table table = new Table("IMPORTED");
                names.forEach(table::row);
                progress.close();
                show(table, names);
            } finally {
                if (file.equals("-")) {
                    Files.delete(archive);
                }
            }
            return 0;
        }

        /** An archive's parts come in any order, so it must be at hand as a whole. */
        private static Path spool() throws IOException {
            Path spool = Files.createTempFile("longshore-import-", ".tar");
            try {
                Files.copy(System.in, spool, StandardCopyOption.REPLACE_EXISTING);
                return spool;
            } catch (IOException e) {
                Files.delete(spool);
                throw e;
            }
        }
    }

    /** {@code longshore image ls}. */
    @Command(name = "ls", aliases = "list", description = "Lists images.")
    static final class ListImages extends DaemonCommand {

        @Option(
                names = {"-q", "--quiet"},
                description = "print names only")
        private boolean quiet;

        @Override
        int run(Daemon daemon) {
            ImageStore store = new ImageStore(daemon, "overlayfs");
            Table table = quiet ? new Table("NAME") : new Table("NAME", "DIGEST", "SIZE", "CREATED");
            List<Map<String, Object>> tree = new ArrayList<>();
            for (Image image : store.list()) {
                if (quiet) {
                    table.row(image.getName());
                    tree.add(Map.of("name", image.getName()));
                    continue;
                }
                OptionalLong size = store.size(image.getName());
                Instant created = Instant.ofEpochSecond(
                        image.getCreatedAt().getSeconds(), image.getCreatedAt().getNanos());
                String digest = image.getTarget().getDigest();
                table.row(
                        image.getName(),
                        digest.length() > 19 ? digest.substring(0, 19) : digest,
                        size.isPresent() ? Amounts.size(size.getAsLong()) : "",
                        Amounts.age(Duration.between(created, Instant.now())) + " ago");
                Map<String, Object> object = new LinkedHashMap<>();
                object.put("name", image.getName());
                object.put("digest", digest);
                object.put("mediaType", image.getTarget().getMediaType());
                size.ifPresent(bytes -> object.put("size", bytes));
                object.put("createdAt", created.toString());
                object.put("labels", image.getLabelsMap());
                tree.add(object);
            }
            show(table, tree);
            return 0;
        }
    }

    /** {@code longshore image lazy}. */
    @Command(
            name = "lazy",
            description = "Shows which layers of an image are read while they are used, and why others are not.")
    static final class Lazy extends DaemonCommand {

        @Parameters(paramLabel = "IMAGE", description = "its name")
        private String image = "";

        @Option(
                names = "--snapshotter",
                paramLabel = "NAME",
                defaultValue = "stargz",
                description = "that the image was pulled with (default: ${DEFAULT-VALUE})")
        private String snapshotter = "stargz";

        @Override
        int run(Daemon daemon) {
            ImageStore.Resolved resolved = new ImageStore(daemon, snapshotter).resolve(image);
            Table table = new Table("LAYER", "LAZY", "HERE", "SIZE", "PREFETCHED", "USED", "WHY NOT");
            List<Map<String, Object>> tree = new ArrayList<>();
            for (LazyLayers.State state : new LazyLayers(daemon, snapshotter).of(resolved)) {
                String digest = state.layer().digest().toString();
                table.row(
                        digest.length() > 19 ? digest.substring(0, 19) : digest,
                        state.lazy() ? "yes" : "no",
                        Amounts.size(state.fetched()),
                        Amounts.size(state.layer().size()),
                        Amounts.size(state.prefetched()),
                        Amounts.size(state.used()),
                        state.reason());
                Map<String, Object> object = new LinkedHashMap<>();
                object.put("digest", digest);
                object.put("lazy", state.lazy());
                object.put("fetched", state.fetched());
                object.put("size", state.layer().size());
                object.put("prefetched", state.prefetched());
                object.put("used", state.used());
                object.put("reason", state.reason());
                tree.add(object);
            }
            show(table, tree);
            return 0;
        }
    }

    /** {@code longshore image unpack}. */
    @Command(name = "unpack", description = "Unpacks the layers of an image into snapshots.")
    static final class Unpack extends DaemonCommand {

        @Parameters(paramLabel = "IMAGE", description = "its name")
        private String image = "";

        @Option(
                names = "--snapshotter",
                paramLabel = "NAME",
                defaultValue = "overlayfs",
                description = "with this snapshotter (default: ${DEFAULT-VALUE})")
        private String snapshotter = "overlayfs";

        @Override
        int run(Daemon daemon) {
            try (Leased leased = new Leased(daemon);
                    Progress progress = Progress.onStandardError()) {
                new ImageStore(leased.daemon(), snapshotter).unpack(image, progress);
            }
            return 0;
        }
    }

    /** {@code longshore image rm}. */
    @Command(
            name = "rm",
            aliases = "remove",
            description = "Removes images, and what only they need. Running containers keep what they use.")
    static final class Remove extends DaemonCommand {

        @Parameters(paramLabel = "IMAGE", arity = "1..*", description = "their names")
        private List<String> images = List.of();

        @Override
        int run(Daemon daemon) {
            ImageStore store = new ImageStore(daemon, "overlayfs");
            for (String image : images) {
                String name = store.nameOf(image);
                store.remove(name);
                print(name + "\n");
            }
            return 0;
        }
    }
}
