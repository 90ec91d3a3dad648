package dev.longshore.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.zip.Deflater;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launchers in {@code bin}, with a program of the test's own in a distribution of its own. */
class LauncherIT {

    @TempDir
    private Path home;

    private Path launcher;

    @BeforeEach
    void layOut() throws IOException {
        Path lib = Files.createDirectories(home.resolve("lib"));
        Files.createDirectories(lib.resolve("aot"));
        Path distribution = Suite.distribution();
        for (String file : List.of("launch.sh", "find-jdk.sh", "native.conf")) {
            Files.copy(distribution.resolve("lib/" + file), lib.resolve(file));
        }
        Files.writeString(lib.resolve("jdk"), System.getProperty("java.home") + "\n");
        Files.writeString(lib.resolve("longshored.conf"), "main=Greeter\noptions=\"$common -Xmx32m\"\n");
        Files.writeString(lib.resolve("longshored.classpath"), "greeter.jar\n");
        launcher = Files.createDirectories(home.resolve("bin")).resolve("longshored");
        Files.copy(distribution.resolve("bin/longshored"), launcher, StandardCopyOption.COPY_ATTRIBUTES);
        buildJar("first");
    }

    private void buildJar(String text) throws IOException {
        Path folder = Files.createDirectories(home.resolve("build"));
        Path source = folder.resolve("Greeter.java");
        Files.writeString(source, """
                public class Greeter {
                    public static void main(String[] args) {
                        System.out.println("%s " + args.length);
                    }
                }
                """.formatted(text));
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        assertThat(compiler.run(null, null, null, "-d", folder.toString(), source.toString()))
                .isZero();
        Path jar = home.resolve("lib/greeter.jar");
        try (OutputStream out = Files.newOutputStream(jar);
                JarOutputStream entries = new JarOutputStream(out)) {
            JarEntry entry = new JarEntry("Greeter.class");
            entry.setLastModifiedTime(FileTime.fromMillis(0));
            entries.setLevel(Deflater.NO_COMPRESSION); // the same size for the same length of text
            entries.putNextEntry(entry);
            entries.write(Files.readAllBytes(folder.resolve("Greeter.class")));
        }
    }

    private Ran launch(String aot, String... arguments) {
        List<String> command = new ArrayList<>(List.of(launcher.toString()));
        command.addAll(List.of(arguments));
        return Programs.run(command, "", aot.isEmpty() ? Map.of() : Map.of("LONGSHORE_AOT", aot));
    }

    private Path makeCache() throws IOException {
        launch("record").ok();
        Path cache = Path.of(launch("key").ok().out().strip());
        Files.move(Path.of(cache + ".new"), cache);
        return cache;
    }

    @Test
    void programRunsWithItsArguments() {
        assertThat(launch("", "one", "two words", "").ok().out()).isEqualTo("first 3\n");
    }

    @Test
    void launcherWorksThroughASymbolicLink(@TempDir Path elsewhere) throws IOException {
        launcher = Files.createSymbolicLink(elsewhere.resolve("longshored"), launcher);
        assertThat(launch("").ok().out()).isEqualTo("first 0\n");
    }

    @Test
    void cacheIsUsed() throws IOException {
        launch("require").exitedWith(1);
        makeCache();
        assertThat(launch("require").ok().out()).isEqualTo("first 0\n");
    }

    @Test
    void rebuiltJarRunsItsNewCodeAlthoughThereIsACache() throws IOException {
        Path jar = home.resolve("lib/greeter.jar");
        Path cache = makeCache();
        FileTime time = Files.getLastModifiedTime(jar);
        long size = Files.size(jar);

        buildJar("later");
        // As like the old one as can be: the JVM would not notice.
        Files.setLastModifiedTime(jar, time);
        assertThat(Files.size(jar)).isEqualTo(size);

        assertThat(launch("").ok().out()).isEqualTo("later 0\n");
        assertThat(launch("key").ok().out().strip()).isNotEqualTo(cache.toString());
    }

    @Test
    void otherFlagsHaveACacheOfTheirOwn() throws IOException {
        Path cache = makeCache();
        Ran key = Programs.run(
                List.of(launcher.toString()),
                "",
                Map.of("LONGSHORE_AOT", "key", "LONGSHORE_JAVA_OPTS", "-XX:+UseParallelGC"));
        assertThat(key.ok().out().strip()).isNotEqualTo(cache.toString());
    }

    @Test
    void jdkThatIsTooOldIsRefusedWithAdvice(@TempDir Path jdk) throws IOException {
        Files.delete(home.resolve("lib/jdk"));
        Path java = Files.createDirectories(jdk.resolve("bin")).resolve("java");
        Files.writeString(java, "#!/bin/sh\n");
        assertThat(java.toFile().setExecutable(true)).isTrue();
        Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"21.0.1\"\n");
        Ran found = Programs.run(List.of(
                "sh",
                "-c",
                ". " + home.resolve("lib/find-jdk.sh") + "; find_jdk " + jdk + " && echo \"$jdk\" || echo none"));
        assertThat(found.ok().out().strip()).isNotEqualTo(jdk.toString());

        Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"26-ea\"\n");
        found = Programs.run(List.of(
                "sh", "-c", ". " + home.resolve("lib/find-jdk.sh") + "; find_jdk " + jdk + " && echo \"$jdk\""));
        assertThat(found.ok().out().strip()).isEqualTo(jdk.toString());
    }
}
