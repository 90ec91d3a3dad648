package dev.longshore.shim;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.stream.Collectors;

/** The shim laid out as the distribution has it, with the launcher that the build has made and the classes of this test. */
final class LaidOutShim {

    private LaidOutShim() {}

    /** @return {@code bin/containerd-shim-runc-v2} below {@code home} */
    static Path in(Path home) throws IOException {
        Path built = Path.of("target/containerd-shim-runc-v2").toAbsolutePath();
        Path launcher = Files.createDirectories(home.resolve("bin")).resolve("containerd-shim-runc-v2");
        Files.copy(built, launcher);
        String classPath = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator, -1))
                .filter(entry -> !entry.isEmpty())
                .map(entry -> Path.of(entry).toAbsolutePath().toString())
                .collect(Collectors.joining(File.pathSeparator));
        Path jvm = Files.createDirectories(home.resolve("lib")).resolve("containerd-shim-runc-v2");
        Files.writeString(jvm, """
                #!/bin/sh
                exec "%s/bin/java" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xss512k -Xmx64m \\
                  --enable-native-access=ALL-UNNAMED -Xlog:disable -Xlog:all=warning:stderr \\
                  -cp '%s' dev.longshore.shim.Main "$@"
                """.formatted(System.getProperty("java.home"), classPath));
        Files.setPosixFilePermissions(jvm, PosixFilePermissions.fromString("rwxr-xr-x"));
        return launcher;
    }
}
