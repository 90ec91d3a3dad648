package dev.longshore.cli.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Manifests;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class OciSpecTest {

    private static final ContainerUser ROOT = new ContainerUser(0, 0, List.of(0L));

    private static final Manifests.ProcessDefaults IMAGE = new Manifests.ProcessDefaults(
            "", List.of("PATH=/bin", "LEVEL=image"), List.of("/entry"), List.of("default"), "/work", "");

    private static SpecRequest plain(String... arguments) {
        return new SpecRequest(
                "c1",
                "default",
                List.of(arguments),
                Optional.empty(),
                List.of(),
                Optional.empty(),
                false,
                false,
                false,
                false,
                false,
                List.of(),
                OptionalLong.empty(),
                Optional.empty());
    }

    /** The specification after a trip through JSON, as runc sees it. */
    private static Map<String, Object> spec(SpecRequest request) {
        return Json.object(Json.bytes(OciSpec.of(request, IMAGE, ROOT)), "specification");
    }

    private static Map<String, Object> process(SpecRequest request) {
        return Json.object(spec(request), "process");
    }

    @Test
    void imageSaysWhatRuns() {
        Map<String, Object> process = process(plain());
        assertThat(Json.strings(process, "args")).containsExactly("/entry", "default");
        assertThat(Json.string(process, "cwd")).isEqualTo("/work");
        assertThat(Json.strings(process, "env")).containsExactly("PATH=/bin", "LEVEL=image");
        assertThat(process.get("noNewPrivileges")).isEqualTo(true);
    }

    @Test
    void argumentsReplaceTheImagesArgumentsAndNotItsProgram() {
        assertThat(Json.strings(process(plain("one", "two")), "args")).containsExactly("/entry", "one", "two");
    }

    @Test
    void entrypointReplacesBoth() {
        SpecRequest request = new SpecRequest(
                "c1",
                "default",
                List.of("arg"),
                Optional.of("/mine"),
                List.of("LEVEL=mine", "NEW=1"),
                Optional.of("/elsewhere"),
                true,
                true,
                false,
                false,
                false,
                List.of(),
                OptionalLong.empty(),
                Optional.empty());
        Map<String, Object> process = process(request);
        assertThat(Json.strings(process, "args")).containsExactly("/mine", "arg");
        assertThat(Json.string(process, "cwd")).isEqualTo("/elsewhere");
        assertThat(Json.strings(process, "env")).containsExactly("PATH=/bin", "TERM=xterm", "LEVEL=mine", "NEW=1");
        assertThat(Json.object(spec(request), "root").get("readonly")).isEqualTo(true);
    }

    @Test
    void nothingToRunIsAMistakeOfTheCommandLine() {
        Manifests.ProcessDefaults empty = new Manifests.ProcessDefaults("", List.of(), List.of(), List.of(), "", "");
        assertThatThrownBy(() -> OciSpec.of(plain(), empty, ROOT)).isInstanceOf(InvalidArgumentException.class);
    }

    /** CVE-2022-24769. */
    @Test
    void noCapabilityIsInheritableOrAmbient() {
        Map<String, Object> capabilities = Json.object(process(plain()), "capabilities");
        assertThat(capabilities).containsOnlyKeys("bounding", "effective", "permitted");
        assertThat(Json.strings(capabilities, "bounding"))
                .contains("CAP_CHOWN")
                .doesNotContain("CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE");
    }

    @Test
    void whatTellsOfTheMachineIsHidden() {
        Map<String, Object> linux = Json.object(spec(plain()), "linux");
        assertThat(Json.strings(linux, "maskedPaths"))
                .contains("/proc/kcore", "/proc/keys", "/sys/firmware", "/sys/devices/virtual/powercap");
        assertThat(Json.strings(linux, "readonlyPaths")).contains("/proc/sys", "/proc/sysrq-trigger");
        assertThat(linux.get("cgroupsPath")).isEqualTo("/default/c1");
    }

    @Test
    void devicesAreDeniedButForAFew() {
        Map<String, Object> resources = Json.object(Json.object(spec(plain()), "linux"), "resources");
        List<Map<String, Object>> devices = Json.objects(resources, "devices");
        assertThat(devices.getFirst()).isEqualTo(Map.of("allow", false, "access", "rwm"));
        assertThat(devices).hasSize(10).allMatch(rule -> "rwm".equals(rule.get("access")));
        assertThat(resources).doesNotContainKeys("memory", "cpu");
    }

    @Test
    void limitsAreSet() {
        SpecRequest request = new SpecRequest(
                "c1",
                "default",
                List.of("x"),
                Optional.empty(),
                List.of(),
                Optional.empty(),
                false,
                false,
                false,
                false,
                false,
                List.of(),
                OptionalLong.of(1 << 20),
                Optional.of(0.5));
        Map<String, Object> resources = Json.object(Json.object(spec(request), "linux"), "resources");
        assertThat(Json.number(Json.object(resources, "memory"), "limit")).isEqualTo(1 << 20);
        assertThat(Json.number(Json.object(resources, "cpu"), "quota")).isEqualTo(50_000);
    }

    @Test
    void networkOfTheHostHasNoNamespaceAndItsNames() {
        SpecRequest request = new SpecRequest(
                "c1",
                "default",
                List.of("x"),
                Optional.empty(),
                List.of(),
                Optional.empty(),
                false,
                false,
                true,
                false,
                true,
                List.of(MountFlag.parse("src=/here,dst=/there")),
                OptionalLong.empty(),
                Optional.empty());
        assertThat(namespaces(request)).containsExactly("pid", "ipc", "uts", "mount", "cgroup");
        assertThat(namespaces(plain())).containsExactly("pid", "ipc", "uts", "mount", "network");
        List<String> destinations = Json.objects(spec(request), "mounts").stream()
                .map(mount -> Json.string(mount, "destination"))
                .toList();
        assertThat(destinations).contains("/etc/resolv.conf", "/etc/hosts").endsWith("/there");
    }

    private static List<String> namespaces(SpecRequest request) {
        return Json.objects(Json.object(spec(request), "linux"), "namespaces").stream()
                .map(namespace -> Json.string(namespace, "type"))
                .toList();
    }

    @Test
    void malformedVariablesAreLeftOut() {
        assertThat(OciSpec.environment(List.of("A=1", "novalue", "=x"), List.of("A=2", "B="), false))
                .containsExactly("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=2", "B=");
    }
}
