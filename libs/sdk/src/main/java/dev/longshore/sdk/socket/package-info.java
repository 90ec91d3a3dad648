/** Unix socket features that the JDK lacks, through junixsocket. The only package that may import {@code org.newsclub}. */
@NullMarked
package dev.longshore.sdk.socket;

import org.jspecify.annotations.NullMarked;
