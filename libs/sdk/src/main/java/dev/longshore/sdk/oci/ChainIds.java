package dev.longshore.sdk.oci;

import dev.longshore.sdk.digest.Digest;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The names of snapshots of layers: each stands for a layer and all below it.
 *
 * @see <a href="https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid">chain ids</a>
 */
public final class ChainIds {

    private ChainIds() {}

    /** Of each layer, the lowest first, as {@code diffIds} are. */
    public static List<String> of(List<Digest> diffIds) {
        List<String> chains = new ArrayList<>();
        for (Digest diffId : diffIds) {
            chains.add(
                    chains.isEmpty()
                            ? diffId.toString()
                            : Digest.sha256((chains.getLast() + " " + diffId).getBytes(StandardCharsets.UTF_8))
                                    .toString());
        }
        return chains;
    }
}
