package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import dev.longshore.api.runc.v1.Options;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RuncOptionsTest {

    @TempDir
    private Path bundle;

    private static Any any(String type, Options options) {
        return Any.newBuilder()
                .setTypeUrl(type)
                .setValue(options.toByteString())
                .build();
    }

    @Test
    void noOptionsAreTheDefaults() throws IOException {
        RuncOptions options = RuncOptions.parse(Any.getDefaultInstance());
        assertThat(options.binary()).isEqualTo("runc");
        assertThat(options.root()).isEqualTo("/run/containerd/runc");
        options.save(new TaskBundle(bundle));
        assertThat(bundle).isEmptyDirectory();
        assertThat(RuncOptions.load(new TaskBundle(bundle))).isEqualTo(options);
    }

    @Test
    void optionsAreKeptInTheBundle() throws IOException {
        Options chosen =
                Options.newBuilder().setBinaryName("crun").setRoot("/r").build();
        for (String type :
                new String[] {"containerd.runc.v1.Options", "type.googleapis.com/containerd.runc.v1.Options"}) {
            RuncOptions options = RuncOptions.parse(any(type, chosen));
            assertThat(options.binary()).isEqualTo("crun");
            assertThat(options.root()).isEqualTo("/r");
            options.save(new TaskBundle(bundle));
            assertThat(RuncOptions.load(new TaskBundle(bundle))).isEqualTo(options);
        }
    }

    @Test
    void optionsOfAnotherTypeOrNoneAreRefused() {
        assertThatThrownBy(() -> RuncOptions.parse(any("runtimeoptions.v1.Options", Options.getDefaultInstance())))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("runtimeoptions.v1.Options");
        Any junk = Any.newBuilder()
                .setTypeUrl("containerd.runc.v1.Options")
                .setValue(ByteString.copyFrom(new byte[] {50, 100, 1}))
                .build();
        assertThatThrownBy(() -> RuncOptions.parse(junk)).isInstanceOf(InvalidArgumentException.class);
    }
}
