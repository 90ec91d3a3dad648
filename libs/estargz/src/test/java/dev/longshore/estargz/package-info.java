@NullMarked
package dev.longshore.estargz;

import org.jspecify.annotations.NullMarked;
