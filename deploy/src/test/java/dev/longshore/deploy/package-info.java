/** The whole suite under stock clients. Sees the programs from outside only: as processes, sockets and files. */
@NullMarked
package dev.longshore.deploy;

import org.jspecify.annotations.NullMarked;
