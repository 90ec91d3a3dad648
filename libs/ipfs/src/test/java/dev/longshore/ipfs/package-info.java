@NullMarked
package dev.longshore.ipfs;

import org.jspecify.annotations.NullMarked;
