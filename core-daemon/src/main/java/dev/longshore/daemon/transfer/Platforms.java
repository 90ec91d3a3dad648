package dev.longshore.daemon.transfer;

import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Platform;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Which manifests of an index run where. As containerd's {@code platforms}, for Linux. */
final class Platforms {

    private Platforms() {}

    /** This machine's. */
    static Platform host() {
        return normalized(new Platform("linux", System.getProperty("os.arch", ""), "", "", List.of()));
    }

    /** With the names that images use. */
    static Platform normalized(Platform platform) {
        String architecture = platform.architecture().toLowerCase(Locale.ROOT);
        String variant = platform.variant().toLowerCase(Locale.ROOT);
        switch (architecture) {
            case "x86_64", "x86-64" -> architecture = "amd64";
            case "aarch64" -> architecture = "arm64";
            case "i386" -> architecture = "386";
            case "armhf" -> {
                architecture = "arm";
                variant = "v7";
            }
            case "armel" -> {
                architecture = "arm";
                variant = "v6";
            }
            default -> {}
        }
        // What every processor of the kind can do is the same as nothing said.
        if ((architecture.equals("amd64") && variant.equals("v1"))
                || (architecture.equals("arm64") && (variant.equals("8") || variant.equals("v8")))) {
            variant = "";
        }
        if (architecture.equals("arm") && variant.isEmpty()) {
            variant = "v7";
        }
        return new Platform(
                platform.os().toLowerCase(Locale.ROOT),
                architecture,
                variant,
                platform.osVersion(),
                platform.osFeatures());
    }

    /** The platform of an entry of an index, or of an image's configuration; all empty if it does not say. */
    static Platform of(Map<String, Object> object) {
        return normalized(new Platform(
                Json.string(object, "os"),
                Json.string(object, "architecture"),
                Json.string(object, "variant"),
                "",
                List.of()));
    }

    /**
     * How well an image for {@code offered} runs on {@code wanted}: 0 is best.
     *
     * @return -1 if it does not
     */
    static int rank(Platform wanted, Platform offered) {
        Platform want = normalized(wanted);
        if (!want.os().equals(offered.os()) || !want.architecture().equals(offered.architecture())) {
            return -1;
        }
        if (want.variant().equals(offered.variant())) {
            return 0;
        }
        int older = version(want.variant()) - version(offered.variant());
        return older > 0 ? older : -1;
    }

    /** Of a variant such as {@code v7}. */
    private static int version(String variant) {
        return variant.matches("v[0-9]{1,2}") ? Integer.parseInt(variant.substring(1)) : variant.isEmpty() ? 1 : 0;
    }
}
