package dev.longshore.content.ipfs.kubo;

import dev.longshore.ipfs.BlockStore;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.Codec;
import dev.longshore.ipfs.HashFunction;
import dev.longshore.ipfs.MissingBlockException;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The blocks of an IPFS node, and those that it gets from others, over Kubo's RPC API (0.40 or newer). Safe for use by many threads.
 */
public final class KuboNode implements BlockStore, AutoCloseable {

    private final KuboRpc rpc;

    public KuboNode(ApiAddress address) {
        this.rpc = new KuboRpc(address);
    }

    /**
     * What a node says about itself.
     *
     * @param id its peer id
     */
    public record Identity(String id, String agent) {}

    /** @throws IOException if it cannot be asked, e.g. because it does not run */
    public Identity identity(Deadline deadline) throws IOException {
        Map<String, Object> answer = rpc.call("id", Map.of(), "identity", deadline);
        return new Identity(string(answer, "ID", "identity"), string(answer, "AgentVersion", "identity"));
    }

    private String string(Map<String, Object> answer, String key, String what) throws IOException {
        try {
            return Json.string(answer, key);
        } catch (InvalidArgumentException e) {
            throw new IOException("%s: %s answered what no IPFS node does: %s".formatted(what, rpc, e.getMessage()), e);
        }
    }

    private static String what(Cid cid) {
        return "block " + cid;
    }

    /** Asks other nodes, too, unless the node is offline. */
    @Override
    public byte[] get(Cid cid, Deadline deadline) throws IOException {
        Map<String, String> arguments = new HashMap<>();
        arguments.put("arg", cid.toString());
        // The node, too, is to give up.
        arguments.put("timeout", Math.max(1, deadline.remaining().toMillis()) + "ms");
        try {
            return rpc.download("block/get", arguments, MAX_BLOCK, what(cid), deadline);
        } catch (KuboRpc.Refusal e) {
            if (isMissing(e)) {
                throw new MissingBlockException(String.valueOf(e.getMessage()));
            }
            throw e;
        }
    }

    /** Words of its blockstore; the API has one status for all that goes wrong. */
    private static boolean isMissing(KuboRpc.Refusal e) {
        return e.said().contains("could not find") || e.said().contains("block not found");
    }

    @Override
    public boolean has(Cid cid, Deadline deadline) throws IOException {
        try {
            Map<String, Object> answer =
                    rpc.call("block/stat", Map.of("arg", cid.toString(), "offline", "true"), what(cid), deadline);
            return answer.containsKey("Key");
        } catch (KuboRpc.Refusal e) {
            if (isMissing(e)) {
                return false;
            }
            throw e;
        }
    }

    @Override
    public void put(Cid cid, byte[] block, Deadline deadline) throws IOException {
        Map<String, Object> answer = rpc.upload(
                "block/put",
                Map.of(
                        "cid-codec", cid.codec() == Codec.RAW ? "raw" : "dag-pb",
                        "mhtype", cid.function() == HashFunction.SHA2_512 ? "sha2-512" : "sha2-256",
                        "pin", "false"),
                block,
                what(cid),
                deadline);
        String key = string(answer, "Key", what(cid));
        if (!sameBlock(cid, key)) {
            throw new IOException(
                    "%s: %s took it for %.100s: it is damaged, or no node of IPFS".formatted(what(cid), rpc, key));
        }
    }

    /** Versions of names differ; a node keeps blocks by their hashes. */
    private static boolean sameBlock(Cid cid, String key) {
        try {
            return Arrays.equals(Cid.parse(key).hash(), cid.hash());
        } catch (InvalidArgumentException e) {
            return false;
        }
    }

    /** All of it is to be there: the node is not to wait for others. */
    @Override
    public void pin(Cid root, Deadline deadline) throws IOException {
        Map<String, Object> answer = rpc.call(
                "pin/add",
                Map.of("arg", root.toString(), "recursive", "true", "offline", "true"),
                "pin of " + root,
                deadline);
        if (!isPinned(answer, root)) {
            throw new IOException("pin of %s: %s did not say that it has set it".formatted(root, rpc));
        }
    }

    private static boolean isPinned(Map<String, Object> answer, Cid root) {
        try {
            return Json.strings(answer, "Pins").contains(root.toString());
        } catch (InvalidArgumentException e) {
            return false;
        }
    }

    @Override
    public void unpin(Cid root, Deadline deadline) throws IOException {
        try {
            var _ = rpc.call("pin/rm", Map.of("arg", root.toString()), "pin of " + root, deadline);
        } catch (KuboRpc.Refusal e) {
            if (!e.said().contains("not pinned")) {
                throw e;
            }
        }
    }

    @Override
    public void close() {
        rpc.close();
    }

    @Override
    public String toString() {
        return rpc.toString();
    }
}
