package dev.longshore.shim;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/**
 * What CRIU must be told of a container. Its processes read and write the client's fifos and files themselves, which lie outside of their
 * mount namespace, so CRIU would not find them: they are named to it as external. runc has no flag for that, but has CRIU read the
 * file that the annotation {@code org.criu.config} names.
 *
 * <p>CRIU reads that file twice, which is no harm here, but does not let it name what a restored process inherits in the place of such
 * files: a checkpoint is restored only if the container's standard input and outputs were nowhere, or pipes of another shim.
 *
 * @see <a href="https://criu.org/External_resources">external resources</a>
 */
final class Criu {

    private static final String ANNOTATION = "org.criu.config";

    private static final int STANDARD_FDS = 3;

    private final TaskBundle bundle;

    Criu(TaskBundle bundle) {
        this.bundle = bundle;
    }

    /** Whether there is a CRIU on this machine. */
    static boolean installed() {
        return Arrays.stream(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, "criu")));
    }

    /**
     * Has the container's specification name our configuration of CRIU; one that the client named is left as it is. To be called before
     * the container is made.
     */
    void annotate() throws IOException {
        Path changed = bundle.path().resolve("config.json.new");
        JsonFactory json = new JsonFactory();
        try (InputStream in = Files.newInputStream(bundle.config());
                OutputStream out = Files.newOutputStream(changed);
                JsonParser parser = json.createParser(ObjectReadContext.empty(), in);
                JsonGenerator generator = json.createGenerator(ObjectWriteContext.empty(), out)) {
            copy(parser, generator);
        } catch (tools.jackson.core.JacksonException e) {
            throw new IOException(bundle.config() + " is no JSON: " + e.getOriginalMessage(), e);
        }
        Files.move(changed, bundle.config(), StandardCopyOption.REPLACE_EXISTING);
    }

    private void copy(JsonParser parser, JsonGenerator generator) {
        boolean written = false;
        if (parser.nextToken() == JsonToken.START_OBJECT) {
            generator.writeStartObject();
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String name = parser.currentName();
                generator.writeName(name);
                if (parser.nextToken() == JsonToken.START_OBJECT && name.equals("annotations")) {
                    written = copyAnnotations(parser, generator);
                } else {
                    generator.copyCurrentStructure(parser);
                }
            }
            if (!written) {
                generator.writeName("annotations");
                generator.writeStartObject();
                generator.writeStringProperty(ANNOTATION, configuration().toString());
                generator.writeEndObject();
            }
            generator.writeEndObject();
        } else {
            generator.copyCurrentStructure(parser); // which runc will refuse
        }
    }

    private boolean copyAnnotations(JsonParser parser, JsonGenerator generator) {
        boolean named = false;
        generator.writeStartObject();
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            named |= parser.currentName().equals(ANNOTATION);
            generator.copyCurrentStructure(parser);
        }
        if (!named) {
            generator.writeStringProperty(ANNOTATION, configuration().toString());
        }
        generator.writeEndObject();
        return true;
    }

    private Path configuration() {
        return bundle.path().resolve("criu.conf");
    }

    /**
     * Before a checkpoint.
     *
     * @param pids the processes that were started in the container; those that they started have their files
     */
    void beforeCheckpoint(Collection<Integer> pids) throws IOException {
        Set<String> external = new LinkedHashSet<>();
        for (int pid : pids) {
            external.addAll(files(pid));
        }
        Files.write(
                configuration(), external.stream().map(key -> "external " + key).toList());
    }

    /** What of a process' standard input and outputs CRIU would look for in its mount namespace, and not find. */
    private static Set<String> files(int pid) throws IOException {
        Set<String> mounts = new LinkedHashSet<>();
        try (var lines = Files.lines(Path.of("/proc/" + pid + "/mountinfo"))) {
            lines.forEach(line -> mounts.add(line.substring(0, line.indexOf(' '))));
        }
        Set<String> files = new LinkedHashSet<>();
        for (int fd = 0; fd < STANDARD_FDS; fd++) {
            Path link = Path.of("/proc/%d/fd/%d".formatted(pid, fd));
            Optional<String> mount = mountOf(pid, fd);
            // A pipe has no path, and is CRIU's to know.
            if (mount.isPresent()
                    && !mounts.contains(mount.get())
                    && Files.readSymbolicLink(link).toString().startsWith("/")) {
                long inode = (Long) Files.getAttribute(link, "unix:ino");
                files.add("file[%x:%x]".formatted(Long.parseLong(mount.get()), inode));
            }
        }
        return files;
    }

    private static Optional<String> mountOf(int pid, int fd) throws IOException {
        try (var lines = Files.lines(Path.of("/proc/%d/fdinfo/%d".formatted(pid, fd)))) {
            return lines.filter(line -> line.startsWith("mnt_id:"))
                    .map(line -> line.substring("mnt_id:".length()).strip())
                    .findFirst();
        } catch (NoSuchFileException e) {
            return Optional.empty(); // the process has closed it
        }
    }
}
