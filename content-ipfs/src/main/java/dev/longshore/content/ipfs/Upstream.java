package dev.longshore.content.ipfs;

import dev.longshore.content.ipfs.Traffic.Origin;
import dev.longshore.ipfs.BlockSource;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.MissingBlockException;
import dev.longshore.ipfs.WrongBlockException;
import dev.longshore.sdk.context.Deadline;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where blocks are had that are not on this disk: one source after another. What it gives is verified. Safe for use by many threads. */
final class Upstream implements BlockSource {

    private static final Logger log = LoggerFactory.getLogger(Upstream.class);

    private final List<Source> sources;
    private final Duration blockTimeout;
    private final Traffic traffic;

    /** @param name for messages, with its address */
    record Source(String name, Origin origin, BlockSource blocks) {}

    /**
     * Joins sources.
     *
     * @param sources in the order in which they are asked
     * @param blockTimeout what one source has for one block
     */
    Upstream(List<Source> sources, Duration blockTimeout, Traffic traffic) {
        this.sources = List.copyOf(sources);
        this.blockTimeout = blockTimeout;
        this.traffic = traffic;
    }

    @Override
    public byte[] get(Cid cid, Deadline deadline) throws IOException {
        Optional<byte[]> inlined = cid.inlined();
        if (inlined.isPresent()) {
            return inlined.get();
        }
        IOException last = new MissingBlockException(
                "block %s is not on this disk, and there is no source to ask: name one with --gateway or --api"
                        .formatted(cid));
        for (Source source : sources) {
            try {
                byte[] block = cid.verify(
                        source.blocks().get(cid, deadline.earlier(Deadline.after(blockTimeout))), source.name());
                traffic.read(source.origin(), block.length);
                return block;
            } catch (IOException e) {
                if (e instanceof WrongBlockException) {
                    traffic.mismatch();
                    log.atWarn()
                            .addKeyValue("source", source.name())
                            .addKeyValue("err", e.getMessage())
                            .log("a source gave a wrong block");
                }
                last = e;
            }
        }
        throw last;
    }
}
