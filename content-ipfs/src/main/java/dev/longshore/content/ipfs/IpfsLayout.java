package dev.longshore.content.ipfs;

import dev.longshore.sdk.digest.Digest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * What lies where under the root:
 *
 * <pre>
 * map.db                         what is in which pack, in SQLite; made anew from the packs if it is lost
 * reserve                        room for deleting when the disk is full; see {@link DiskReserve}
 * packs/NUMBER                   the bytes of a blob, its nodes, and a table of them; see {@link Pack}
 * declared/ALGORITHM-HEX         the CID and size of a blob whose bytes are not here yet
 * fetch/ALGORITHM-HEX            what has been fetched of such a blob, from its start on
 * ingest/HASH.data               what was written to the ingest whose ref has this sha256
 * ingest/HASH.ref                when it began, its total size, its ref
 * ingest/HASH.commit-SIZE        the data of one that is being committed: SIZE bytes, and what a pack has behind them
 * </pre>
 */
record IpfsLayout(Path root) {

    static final String DATA = ".data";
    static final String REF = ".ref";
    static final String COMMIT = ".commit-";

    Path map() {
        return root.resolve("map.db");
    }

    Path reserve() {
        return root.resolve("reserve");
    }

    Path packs() {
        return root.resolve("packs");
    }

    Path pack(long number) {
        return packs().resolve(Long.toString(number));
    }

    Path declarations() {
        return root.resolve("declared");
    }

    Path declared(Digest digest) {
        return declarations().resolve(digest.algorithm() + "-" + digest.hex());
    }

    Path fetches() {
        return root.resolve("fetch");
    }

    Path fetch(Digest digest) {
        return fetches().resolve(digest.algorithm() + "-" + digest.hex());
    }

    Path ingests() {
        return root.resolve("ingest");
    }

    /** Where an ingest is; to be asked for once, since it costs a hash. */
    Ingest ingest(String ref) {
        return new Ingest(
                ingests(), Digest.sha256(ref.getBytes(StandardCharsets.UTF_8)).hex());
    }

    /** @param name of its files, less their ends */
    record Ingest(Path folder, String name) {

        Path data() {
            return folder.resolve(name + DATA);
        }

        Path ref() {
            return folder.resolve(name + REF);
        }

        Path committing(long size) {
            return folder.resolve(name + COMMIT + size);
        }
    }
}
