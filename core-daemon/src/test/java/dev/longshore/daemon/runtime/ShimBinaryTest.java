package dev.longshore.daemon.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ShimBinaryTest {

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "io.containerd.runc.v2, containerd-shim-runc-v2",
        "aws.firecracker, containerd-shim-aws-firecracker",
        "io.containerd.kata-qemu.v2, containerd-shim-kata-qemu-v2",
    })
    void lastTwoPartsOfTheNameMakeTheFile(String runtime, String file) {
        assertThat(ShimBinary.fileName(runtime)).isEqualTo(file);
    }

    @ParameterizedTest
    @ValueSource(strings = {"runc", ".runc", "io..v2", "io.runc.", "./runc.v2", "bin/io.containerd.runc.v2"})
    void otherNamesAreInvalid(String runtime) {
        assertThatThrownBy(() -> binaries().resolve(runtime))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining(runtime);
    }

    @Test
    void emptyNameIsInvalid() {
        assertThatThrownBy(() -> binaries().resolve(""))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessage("no runtime name");
    }

    @Test
    void pathIsSearchedBeforeTheDistribution() throws IOException {
        Path inPath = program("path/containerd-shim-a-v1");
        program("dist/containerd-shim-a-v1");
        Path onlyInDistribution = program("dist/containerd-shim-b-v1");

        assertThat(binaries().resolve("x.a.v1")).isEqualTo(inPath);
        assertThat(binaries().resolve("x.b.v1")).isEqualTo(onlyInDistribution);
    }

    @Test
    void aProgramThatMovedIsFoundAgain() throws IOException {
        Path inPath = program("path/containerd-shim-a-v1");
        Path inDistribution = program("dist/containerd-shim-a-v1");
        ShimBinary binaries = binaries();
        binaries.resolve("x.a.v1");

        Files.delete(inPath);

        assertThat(binaries.resolve("x.a.v1")).isEqualTo(inDistribution);
    }

    @Test
    void missingProgramSaysWhereItWasLookedFor() {
        assertThatThrownBy(() -> binaries().resolve("io.containerd.none.v7"))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining("io.containerd.none.v7")
                .hasMessageContaining("containerd-shim-none-v7")
                .hasMessageContaining(folder.resolve("dist").toString());
    }

    @Test
    void absolutePathIsTaken() throws IOException {
        Path program = program("elsewhere/myshim");

        assertThat(binaries().resolve(program.toString())).isEqualTo(program);
        assertThatThrownBy(() -> binaries().resolve(program + "2"))
                .isInstanceOf(FailedPreconditionException.class)
                .hasMessageContaining(program + "2");
    }

    private ShimBinary binaries() {
        return new ShimBinary(List.of(folder.resolve("path")), Optional.of(folder.resolve("dist")));
    }

    private Path program(String name) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, "#!/bin/sh\n");
        assertThat(file.toFile().setExecutable(true)).isTrue();
        return file;
    }
}
