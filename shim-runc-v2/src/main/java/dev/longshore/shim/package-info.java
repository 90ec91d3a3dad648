/**
 * The runc shim: containers through runc, one process for many of them. Started by the launcher beside it. Imports {@code api}, {@code
 * ttrpc} and {@code sdk}; nothing that is not needed to run a container is loaded.
 */
@NullMarked
package dev.longshore.shim;

import org.jspecify.annotations.NullMarked;
