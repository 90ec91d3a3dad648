/**
 * What every implementation of a contract must do, as tests to be extended, and what those tests need. Imports {@code sdk},
 * {@code transport}, {@code ttrpc} and the test libraries.
 */
@NullMarked
package dev.longshore.testkit;

import org.jspecify.annotations.NullMarked;
