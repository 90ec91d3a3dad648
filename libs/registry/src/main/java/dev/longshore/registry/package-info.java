/**
 * A client of registries: names resolved, blobs fetched at any offset and pushed, through the mirrors and with the
 * certificates that {@code hosts.toml} names, and the credentials that Docker's {@code config.json} has. Imports {@code
 * sdk.config}, {@code sdk.context}, {@code sdk.digest}, {@code sdk.errors}, {@code sdk.json} and {@code sdk.oci}.
 *
 * @see <a href="https://github.com/opencontainers/distribution-spec">distribution-spec</a>
 */
@NullMarked
package dev.longshore.registry;

import org.jspecify.annotations.NullMarked;
