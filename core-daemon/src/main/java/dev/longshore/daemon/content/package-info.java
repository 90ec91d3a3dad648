/** The built-in content store, on local files, and what is told of any store's reads. Imports {@code sdk} only. */
@NullMarked
package dev.longshore.daemon.content;

import org.jspecify.annotations.NullMarked;
