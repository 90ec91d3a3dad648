/** Running containers: the OCI specification, streams, terminals. Imports {@code cli.daemon}, {@code cli.image} and {@code cli.text}. */
@NullMarked
package dev.longshore.cli.run;

import org.jspecify.annotations.NullMarked;
