@NullMarked
package dev.longshore.content.ipfs.kubo;

import org.jspecify.annotations.NullMarked;
