package dev.longshore.registry;

import java.io.IOException;
import java.util.Optional;

/** Where credentials come from. Safe for use by many threads; asked when a registry wants some. */
@FunctionalInterface
public interface Credentials {

    /** None for anybody. */
    Credentials NONE = _ -> Optional.empty();

    /** @param host with its port, as it is written in image names */
    Optional<Credential> of(String host) throws IOException;
}
