/** OCI image values. Imports {@code sdk.digest} and {@code sdk.errors}. */
@NullMarked
package dev.longshore.sdk.oci;

import org.jspecify.annotations.NullMarked;
