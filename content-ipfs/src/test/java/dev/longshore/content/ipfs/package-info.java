@NullMarked
package dev.longshore.content.ipfs;

import org.jspecify.annotations.NullMarked;
