package dev.longshore.deploy;

import static org.awaitility.Awaitility.await;

import dev.longshore.testkit.RegistryProcess;
import dev.longshore.testkit.RegistryProcess.Access;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A registry with an image of busybox and a layer of 60 MB that no compression makes smaller: {@code plain} as it is, and {@code esgz}
 * as {@code ctr-remote}, with Debian's containerd, makes an eStargz image of it.
 */
final class LazyImages implements AutoCloseable {

    private static final String REPOSITORY = "lazy";
    private static final int FILES = 40;
    private static final int SMALL = 1 << 20;
    private static final int LARGE = 20 << 20;

    private static final Pattern SENT = Pattern.compile(
            "response completed.*http\\.request\\.method=GET.*/blobs/.*http\\.response\\.status=(\\d+).*"
                    + "http\\.response\\.written=(\\d+)");

    private final Path folder;
    private final RegistryProcess registry;
    private final StockContainerd containerd;
    private final Path address;

    private LazyImages(Path folder, RegistryProcess registry, StockContainerd containerd, Path address) {
        this.folder = folder;
        this.registry = registry;
        this.containerd = containerd;
        this.address = address;
    }

    /** Skips the test where one of the programs is not installed. */
    static LazyImages make(Path folder) throws IOException {
        Programs.needRoot();
        Programs.need("containerd", "ctr-remote", "skopeo", "umoci", "busybox");
        RegistryProcess registry =
                RegistryProcess.start(Files.createDirectories(folder.resolve("registry")), false, Access.EVERYBODY);
        Path address = folder.resolve("containerd/containerd.sock");
        StockContainerd containerd = new StockContainerd(
                Files.createDirectories(folder.resolve("containerd")),
                address,
                "containerd",
                List.of(),
                List.of(),
                false);
        LazyImages images = new LazyImages(folder, registry, containerd, address);
        try {
            images.fill();
            return images;
        } catch (IOException | RuntimeException | Error e) {
            images.close();
            throw e;
        }
    }

    private void fill() throws IOException {
        Path bulk = Files.createDirectories(bulk());
        for (int i = 0; i < FILES; i++) {
            random(bulk.resolve("small-" + i), SMALL, i);
        }
        random(bulk.resolve("large"), LARGE, FILES);
        String layout = "oci:" + folder.resolve("layout");
        String archive = TestImage.busybox("docker.io/library/lazy:1").toString();
        run("skopeo", "copy", "-q", "oci-archive:" + archive, layout + ":busybox");
        run(
                "umoci",
                "insert",
                "--image",
                folder.resolve("layout") + ":busybox",
                "--tag",
                "plain",
                bulk.toString(),
                "/bulk");
        run("skopeo", "copy", "-q", "--dest-tls-verify=false", layout + ":plain", "docker://" + name("plain"));
        containerd.start();
        Ctr ctr = new Ctr();
        ctr.ready();
        ctr.run("images", "pull", "--plain-http", name("plain"));
        ctr.run("images", "convert", "--estargz", "--oci", name("plain"), name("esgz"));
        ctr.run("images", "push", "--plain-http", name("esgz"));
    }

    private final class Ctr {

        void ready() {
            await().atMost(Programs.PATIENCE)
                    .until(() -> Programs.run(List.of("ctr", "--address", address.toString(), "version"))
                                    .exit()
                            == 0);
        }

        void run(String... arguments) {
            String[] all = new String[arguments.length + 3];
            System.arraycopy(arguments, 0, all, 3, arguments.length);
            all[0] = "ctr-remote";
            all[1] = "--address";
            all[2] = address.toString();
            LazyImages.run(all);
        }
    }

    private static void run(String... command) {
        Programs.run(List.of(command)).ok();
    }

    private static void random(Path file, int size, long seed) throws IOException {
        byte[] bytes = new byte[size];
        new Random(seed).nextBytes(bytes);
        try (OutputStream out = Files.newOutputStream(file)) {
            out.write(bytes);
        }
    }

    /** What is in {@code /bulk} of the image. */
    Path bulk() {
        return folder.resolve("bulk");
    }

    /** The name of the image with that tag. */
    String name(String tag) {
        return registry.host() + "/" + REPOSITORY + ":" + tag;
    }

    /** Bytes of blobs that the registry has sent so far. */
    long sent() {
        return registry.log().stream()
                .map(SENT::matcher)
                .filter(Matcher::find)
                .mapToLong(line -> Long.parseLong(line.group(2)))
                .sum();
    }

    /** How often it has sent a whole blob so far; a configuration is sent so, too. */
    long wholes() {
        return registry.log().stream()
                .map(SENT::matcher)
                .filter(Matcher::find)
                .filter(line -> line.group(1).equals("200"))
                .count();
    }

    /** Bytes of the bulk, which does not become smaller by compression. */
    long bulkBytes() {
        return (long) FILES * SMALL + LARGE;
    }

    /** Socket of the containerd that has made the images, in whose namespace {@code default} they are. */
    Path containerd() {
        return address;
    }

    /** The registry is gone for ever. */
    void stopRegistry() {
        registry.close();
    }

    @Override
    public void close() {
        containerd.close();
        registry.close();
    }
}
