/** Images: archives of them, into the daemon's stores, unpacked. Imports {@code cli.daemon} and {@code cli.text}. */
@NullMarked
package dev.longshore.cli.image;

import org.jspecify.annotations.NullMarked;
