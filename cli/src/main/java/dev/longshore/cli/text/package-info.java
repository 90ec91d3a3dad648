/** What a person or a program reads: tables, sizes, ages, JSON, progress. Imports the JSON library only. */
@NullMarked
package dev.longshore.cli.text;

import org.jspecify.annotations.NullMarked;
