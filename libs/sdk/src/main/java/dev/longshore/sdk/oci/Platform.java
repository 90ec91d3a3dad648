package dev.longshore.sdk.oci;

import java.util.List;

/** Where an image runs, as in an OCI descriptor; unset parts are empty. */
public record Platform(String os, String architecture, String variant, String osVersion, List<String> osFeatures) {

    public Platform {
        osFeatures = List.copyOf(osFeatures);
    }
}
