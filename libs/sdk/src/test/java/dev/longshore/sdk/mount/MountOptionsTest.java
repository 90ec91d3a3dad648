package dev.longshore.sdk.mount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.sdk.linux.MountCalls;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class MountOptionsTest {

    @Test
    void flagsAreToldFromData() {
        MountOptions options = parse("ro", "nosuid", "lowerdir=/a:/b", "index=off", "defaults", "");

        assertThat(options.flags()).isEqualTo(MountCalls.MS_RDONLY | MountCalls.MS_NOSUID);
        assertThat(options.data()).containsExactly("lowerdir=/a:/b", "index=off");
        assertThat(options.propagation()).isZero();
    }

    @Test
    void theLaterOfTwoWins() {
        assertThat(parse("ro", "rw").flags()).isZero();
        assertThat(parse("rw", "ro").flags()).isEqualTo(MountCalls.MS_RDONLY);
    }

    @Test
    void propagationIsApart() {
        MountOptions options = parse("rbind", "rprivate");

        assertThat(options.flags()).isEqualTo(MountCalls.MS_BIND | MountCalls.MS_REC);
        assertThat(options.propagation()).isEqualTo(MountCalls.MS_PRIVATE | MountCalls.MS_REC);
    }

    @Test
    void theTypeBindIsTheOptionBind() {
        assertThat(MountOptions.parse(new Mount("bind", "/a", List.of())).flags())
                .isEqualTo(MountCalls.MS_BIND);
    }

    @Test
    void idMapsCountOnlyTogether() {
        assertThat(parse("uidmap=0:1:2").mapsIds()).isFalse();
        assertThat(parse("uidmap=0:1:2", "gidmap=0:1:2").mapsIds()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"loop", "X-containerd.mkdir.path=/a"})
    void whatOnlyAMountManagerCouldDoIsRefused(String option) {
        assertThatThrownBy(() -> parse(option))
                .isInstanceOf(UnimplementedException.class)
                .hasMessageContaining(option);
    }

    @ParameterizedTest
    @ValueSource(strings = {"format/overlay", "mkfs/ext4", "mkdir/overlay", "fuse.fuse-overlayfs", "fuse3.x", "loop"})
    void typesThatAreNotTheKernelsAreRefused(String type) {
        assertThatThrownBy(() ->
                        Mounts.mountAll(List.of(new Mount(type, "/a", List.of())), java.nio.file.Path.of("/nowhere")))
                .isInstanceOf(UnimplementedException.class)
                .hasMessageContaining(type);
    }

    @Test
    void lowerFoldersAreSplitAtColonsThatAreNotEscaped() {
        assertThat(OverlayMount.split("/a:/b\\:c:/d\\\\")).containsExactly("/a", "/b:c", "/d\\");
    }

    @Test
    void readOnlyOverlayHasItsUpperFolderBelow() {
        Mount overlay = new Mount(
                "overlay",
                "overlay",
                List.of("workdir=/w", "upperdir=/u", "lowerdir=/a:/b", "index=off", "uidmap=0:1:2", "gidmap=0:1:2"));
        Mount bind = new Mount("bind", "/a", List.of("rw", "rbind"));

        assertThat(Mounts.readOnly(List.of(overlay, bind)))
                .containsExactly(
                        new Mount("overlay", "overlay", List.of("lowerdir=/u:/a:/b", "index=off")),
                        new Mount("bind", "/a", List.of("rbind", "ro")));
    }

    @Test
    void idMapSaysTheIdOnTheHost() {
        IdMap map = IdMap.parse("0:100000:1000,1000:5:1");

        assertThat(map.toHost(0)).isEqualTo(100000);
        assertThat(map.toHost(999)).isEqualTo(100999);
        assertThat(map.toHost(1000)).isEqualTo(5);
        assertThat(map).hasToString("0:100000:1000,1000:5:1");
        assertThat(IdMap.parse("").toHost(7)).isEqualTo(7);
        assertThatThrownBy(() -> map.toHost(1001)).isInstanceOf(InvalidArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0:1",
                "0:1:2:3",
                "a:1:2",
                "0:-1:2",
                "0:1:2,",
                "0:4294967295:1",
                "0:4294967294:2",
                "0:1:99999999999",
                " 0:1:2"
            })
    void idMapOfAnotherFormIsRefused(String text) {
        assertThatThrownBy(() -> IdMap.parse(text)).isInstanceOf(InvalidArgumentException.class);
    }

    private static MountOptions parse(String... options) {
        return MountOptions.parse(new Mount("overlay", "overlay", List.of(options)));
    }
}
