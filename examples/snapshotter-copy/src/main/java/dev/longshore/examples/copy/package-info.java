/** A snapshotter to learn from. Imports {@code sdk} and {@code transport.serve}, as every plugin. */
@NullMarked
package dev.longshore.examples.copy;

import org.jspecify.annotations.NullMarked;
