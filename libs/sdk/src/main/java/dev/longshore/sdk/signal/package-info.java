/** What the system tells a process. Imports nothing but the JDK. */
@NullMarked
package dev.longshore.sdk.signal;

import org.jspecify.annotations.NullMarked;
