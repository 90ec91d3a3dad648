package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Those who are to read a layer. */
public final class Recipients {

    private final KeyProviders providers;
    private final List<PublicKey> jwe = new ArrayList<>();
    private final List<X509Certificate> pkcs7 = new ArrayList<>();
    private final List<String> pgp = new ArrayList<>();
    private final Map<String, String> provided = new LinkedHashMap<>();
    private Optional<Path> ring = Optional.empty();

    public Recipients(KeyProviders providers) {
        this.providers = providers;
    }

    /** The file with public OpenPGP keys, as {@code gpg --export} writes it. */
    public void ring(Path file) {
        ring = Optional.of(file);
    }

    /**
     * @param recipient as skopeo has it: {@code jwe:public-key-file}, {@code pkcs7:certificate-file}, {@code pgp:address}, or
     *     {@code provider:name:attribute}
     */
    public void add(String recipient) throws IOException {
        int colon = recipient.indexOf(':');
        String scheme = colon < 0 ? "" : recipient.substring(0, colon);
        String value = recipient.substring(colon + 1);
        switch (scheme) {
            case "jwe" ->
                jwe.add(Keys.publicKey(DecryptionKeys.read(Path.of(value)))
                        .orElseThrow(
                                () -> new InvalidArgumentException(value + " is no public key of RSA or of a curve")));
            case "pkcs7" ->
                pkcs7.add(Keys.certificate(DecryptionKeys.read(Path.of(value)))
                        .orElseThrow(() -> new InvalidArgumentException(value + " is no X.509 certificate")));
            case "pgp" -> pgp.add(value);
            case "provider" -> {
                int second = value.indexOf(':');
                provided.put(
                        second < 0 ? value : value.substring(0, second), second < 0 ? "" : value.substring(second + 1));
            }
            default ->
                throw new InvalidArgumentException(
                        "recipient \"%s\" is none of jwe:FILE, pkcs7:FILE, pgp:ADDRESS and provider:NAME"
                                .formatted(recipient));
        }
    }

    /** The annotations of a layer that was encrypted with {@code key}. */
    public Map<String, String> wrap(LayerKey key, LayerSeal seal) throws IOException {
        Map<String, String> annotations = wrap(key);
        annotations.put(Annotations.PUBLIC_OPTIONS, seal.annotation());
        return annotations;
    }

    /**
     * The annotations of an encrypted layer with these who are to read it besides those who do.
     *
     * @param annotations those that it has
     * @param key what was wrapped for those who read it
     */
    public Map<String, String> add(Map<String, String> annotations, LayerKey key) throws IOException {
        Map<String, String> more = new TreeMap<>(annotations);
        wrap(key).forEach((scheme, wrapped) -> more.merge(scheme, wrapped, (those, these) -> those + "," + these));
        return more;
    }

    private Map<String, String> wrap(LayerKey key) throws IOException {
        Map<String, String> annotations = new TreeMap<>();
        byte[] secret = key.json();
        try {
            if (!jwe.isEmpty()) {
                put(annotations, "jwe", Jwe.encrypt(secret, jwe));
            }
            if (!pkcs7.isEmpty()) {
                put(annotations, "pkcs7", Pkcs7.encrypt(secret, pkcs7));
            }
        } catch (GeneralSecurityException e) {
            throw new InvalidArgumentException("the layer's key cannot be wrapped: " + e.getMessage(), e);
        }
        if (!pgp.isEmpty()) {
            byte[] keys = DecryptionKeys.read(ring.orElseThrow(
                    () -> new InvalidArgumentException("a pgp recipient needs a file of public keys (gpg --export)")));
            put(annotations, "pgp", Pgp.encrypt(secret, keys, pgp));
        }
        for (Map.Entry<String, String> provider : provided.entrySet()) {
            put(
                    annotations,
                    "provider." + provider.getKey(),
                    providers.wrap(provider.getKey(), secret, provider.getValue()));
        }
        if (annotations.isEmpty()) {
            throw new InvalidArgumentException("nobody is to read the layer: name a recipient");
        }
        return annotations;
    }

    private static void put(Map<String, String> annotations, String scheme, byte[] wrapped) {
        annotations.put(Annotations.KEYS + scheme, Base64.getEncoder().encodeToString(wrapped));
    }
}
