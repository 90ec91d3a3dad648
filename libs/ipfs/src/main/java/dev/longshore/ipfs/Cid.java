package dev.longshore.ipfs;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;

/**
 * Names a block by its hash. Version 0 is always dag-pb and sha2-256. The same block under both versions has two names, which are
 * not equal.
 *
 * @see <a href="https://github.com/multiformats/cid">CID</a>
 */
public final class Cid {

    /** Bytes of a block that may be in its own name. */
    public static final int MAX_IDENTITY = 128;

    /** Characters of the longest text that is looked at: an identity in base32 and its prefixes, with room. */
    private static final int MAX_TEXT = 256;

    private static final int V0_TEXT = 46;

    private final int version;
    private final Codec codec;
    private final HashFunction function;
    private final byte[] hash;

    private Cid(int version, Codec codec, HashFunction function, byte[] hash) {
        this.version = version;
        this.codec = codec;
        this.function = function;
        this.hash = hash;
    }

    /** Version 1, sha2-256. */
    public static Cid of(Codec codec, byte[] block) {
        MessageDigest digester = Digest.digester("sha256");
        digester.update(block);
        return sha256(codec, digester.digest());
    }

    /**
     * The CID of a file of one raw block.
     *
     * @param sha256 of the file
     * @throws InvalidArgumentException if it is of another algorithm
     */
    public static Cid raw(Digest sha256) {
        if (!sha256.algorithm().equals("sha256")) {
            throw new InvalidArgumentException("a CID of digest %s would be unusual: use sha256".formatted(sha256));
        }
        return sha256(Codec.RAW, HexFormat.of().parseHex(sha256.hex()));
    }

    /**
     * Version 1, of a block that has been hashed already.
     *
     * @param hash the block's sha2-256, which becomes the CID's
     */
    static Cid sha256(Codec codec, byte[] hash) {
        return new Cid(1, codec, HashFunction.SHA2_256, hash);
    }

    /**
     * Reads {@code Qm...} (version 0), and version 1 in base32 ({@code b...}) or base58 ({@code z...}).
     *
     * @throws InvalidArgumentException if it is none of these, or of a codec or hash function that is not ours
     */
    public static Cid parse(String text) {
        if (text.length() > MAX_TEXT) {
            throw new InvalidArgumentException(
                    "CID of %d characters is too long: \"%.64s...\"".formatted(text.length(), text));
        }
        try {
            if (text.length() == V0_TEXT && text.startsWith("Qm")) {
                return decode(Bases.fromBase58(text));
            }
            if (text.startsWith("b")) {
                return version1(Bases.fromBase32(text.substring(1)));
            }
            if (text.startsWith("z")) {
                return version1(Bases.fromBase58(text.substring(1)));
            }
        } catch (InvalidArgumentException e) {
            throw new InvalidArgumentException("\"%s\" is no CID: %s".formatted(text, e.getMessage()), e);
        }
        throw new InvalidArgumentException(
                "\"%s\" is no CID: it must begin with b (base32), z (base58) or Qm (version 0)".formatted(text));
    }

    private static Cid version1(byte[] bytes) {
        Cid cid = decode(bytes);
        if (cid.version != 1) {
            throw new InvalidArgumentException("version 0 is written without a letter for its base");
        }
        return cid;
    }

    /** @throws InvalidArgumentException if the bytes are no CID, or of a codec or hash function that is not ours */
    public static Cid decode(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        if (bytes.length == 34 && bytes[0] == HashFunction.SHA2_256.code() && bytes[1] == 32) {
            return new Cid(0, Codec.DAG_PB, HashFunction.SHA2_256, Arrays.copyOfRange(bytes, 2, 34));
        }
        long version = number(in);
        if (version != 1) {
            throw new InvalidArgumentException("version %d of CIDs is not known".formatted(version));
        }
        Codec codec = Codec.of(number(in));
        HashFunction function = HashFunction.of(number(in));
        long length = number(in);
        if (length != in.remaining() || !function.takes(in.remaining())) {
            throw new InvalidArgumentException(
                    "a hash of %s cannot have %d bytes of %d".formatted(function, in.remaining(), length));
        }
        byte[] hash = new byte[in.remaining()];
        in.get(hash);
        return new Cid(1, codec, function, hash);
    }

    private static long number(ByteBuffer in) {
        long number = Varints.read(in);
        if (number < 0) {
            throw new InvalidArgumentException("a number of the CID is cut off or not in its shortest form");
        }
        return number;
    }

    public int version() {
        return version;
    }

    public Codec codec() {
        return codec;
    }

    public HashFunction function() {
        return function;
    }

    /** A fresh copy of the hash. */
    public byte[] hash() {
        return hash.clone();
    }

    /** The block, if it is in its own name. */
    public Optional<byte[]> inlined() {
        return function == HashFunction.IDENTITY ? Optional.of(hash.clone()) : Optional.empty();
    }

    /** The digest of the block, if the name has one: for a raw block, that of the file. */
    public Optional<Digest> digest() {
        return function == HashFunction.IDENTITY
                ? Optional.empty()
                : Optional.of(new Digest(function.algorithm(), HexFormat.of().formatHex(hash)));
    }

    /** The binary form, as links have it. */
    public byte[] bytes() {
        ByteArrayOutputStream out = new ByteArrayOutputStream(hash.length + 6);
        if (version == 1) {
            Varints.write(out, 1);
            Varints.write(out, codec.code());
        }
        Varints.write(out, function.code());
        Varints.write(out, hash.length);
        out.writeBytes(hash);
        return out.toByteArray();
    }

    /** Whether {@code block} is the one that this names. */
    public boolean names(byte[] block) {
        return names(ByteBuffer.wrap(block));
    }

    /** Whether what remains in {@code block} is the one that this names. */
    public boolean names(ByteBuffer block) {
        ByteBuffer bytes = block.duplicate();
        if (function == HashFunction.IDENTITY) {
            return bytes.equals(ByteBuffer.wrap(hash));
        }
        MessageDigest digester = Digest.digester(function.algorithm());
        digester.update(bytes);
        return MessageDigest.isEqual(digester.digest(), hash);
    }

    /**
     * Refuses what this does not name.
     *
     * @param source where {@code block} is from, for the message
     * @return {@code block}
     */
    public byte[] verify(byte[] block, String source) throws WrongBlockException {
        if (block.length > BlockSource.MAX_BLOCK) {
            throw new WrongBlockException("block %s from %s has %d bytes, more than %d"
                    .formatted(this, source, block.length, BlockSource.MAX_BLOCK));
        }
        if (!names(block)) {
            throw new WrongBlockException("block %s from %s has other bytes than its CID says: nothing of it was used"
                    .formatted(this, source));
        }
        return block;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Cid cid
                && version == cid.version
                && codec == cid.codec
                && function == cid.function
                && Arrays.equals(hash, cid.hash);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(hash);
    }

    /** As {@code ipfs} prints it: base58 for version 0, base32 for version 1. */
    @Override
    public String toString() {
        return version == 0 ? Bases.base58(bytes()) : "b" + Bases.base32(bytes());
    }
}
