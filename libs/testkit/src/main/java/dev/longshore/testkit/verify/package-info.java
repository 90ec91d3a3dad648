/**
 * Runs a contract against a program that is up already, in whatever language it is written. Imports {@code testkit}, {@code sdk},
 * {@code transport} and JUnit's launcher.
 */
@NullMarked
package dev.longshore.testkit.verify;

import org.jspecify.annotations.NullMarked;
