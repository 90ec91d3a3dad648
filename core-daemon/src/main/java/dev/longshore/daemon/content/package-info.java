/** The built-in content store, on local files. Imports {@code sdk} only. */
@NullMarked
package dev.longshore.daemon.content;

import org.jspecify.annotations.NullMarked;
