package dev.longshore.cli.run;

import java.util.List;

/**
 * Who a process runs as.
 *
 * @param additionalGids holds {@code gid} too: a process without its own group among them could get round what is denied
 *     to that group (CVE-2023-25173)
 */
record ContainerUser(long uid, long gid, List<Long> additionalGids) {

    ContainerUser {
        additionalGids = List.copyOf(additionalGids);
    }
}
