/** Configuration files: TOML with the place of every value, and the units that containerd's files use. Imports {@code sdk.flag}. */
@NullMarked
package dev.longshore.sdk.config;

import org.jspecify.annotations.NullMarked;
