package dev.longshore.shim;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.longshore.testkit.ShimContract;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * containerd's own shim passes the contract, too: it asks for nothing but containerd's behavior. {@code -Dlongshore.go-shim}
 * names one of containerd
 * 2.3 or newer instead of Debian's.
 */
class GoShimIT extends ShimContract {

    @Override
    protected Path program() {
        Path program = Path.of(System.getProperty("longshore.go-shim", "/usr/bin/containerd-shim-runc-v2"));
        assumeTrue(Files.isExecutable(program), program + " is not installed: apt-get install containerd");
        return program;
    }

    @Override
    protected boolean takesBootstrapParams() {
        return System.getProperties().containsKey("longshore.go-shim");
    }
}
