/** OCI image values. Imports {@code sdk.digest}, {@code sdk.errors} and {@code sdk.json}. */
@NullMarked
package dev.longshore.sdk.oci;

import org.jspecify.annotations.NullMarked;
