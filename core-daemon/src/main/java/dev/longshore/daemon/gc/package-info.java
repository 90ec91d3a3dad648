/** When garbage is collected, and its removal at the backends. What is garbage, {@code daemon.metadata} knows. */
@NullMarked
package dev.longshore.daemon.gc;

import org.jspecify.annotations.NullMarked;
