package dev.longshore.daemon.boot;

import dev.longshore.daemon.boot.ConfigReader.Overrides;
import dev.longshore.daemon.boot.ConfigReader.Result;
import dev.longshore.sdk.config.ConfigException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Where the configuration comes from, to be read at the start and again whenever it may have changed.
 *
 * @param file empty for the default, which need not be there
 * @param overrides what the command line says
 */
record ConfigSource(Optional<Path> file, Overrides overrides) {

    Result read() throws ConfigException, IOException {
        return ConfigReader.read(file, overrides);
    }
}
