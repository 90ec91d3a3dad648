package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The keys that one has. What is not needed for a layer is not parsed: a file is looked at when it is added, and its keys are made when
 * they are tried.
 */
public final class DecryptionKeys {

    /** Bytes of one file. */
    private static final int MAX_FILE = 1 << 20;

    /** Files in one folder, and keys in one payload. */
    private static final int MAX_FILES = 1000;

    private static final String PRIVATE_KEYS = "privkeys";
    private static final String CERTIFICATES = "x509s";
    private static final String RINGS = "gpg-privatekeys";
    private static final String PASSWORDS = "-passwords";

    /**
     * A file.
     *
     * @param name for errors
     * @param password of what is in it; empty for none
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Secret(String name, byte[] file, byte[] password) {}

    private final List<Secret> privateKeys = new ArrayList<>();
    private final List<byte[]> certificates = new ArrayList<>();
    private final List<Secret> rings = new ArrayList<>();
    private final Map<String, List<byte[]>> provided = new LinkedHashMap<>();

    /** Those of imgcrypt's payload: {@code DecryptConfig.Parameters}, whose values are lists of base64. */
    public void add(Map<String, Object> parameters) {
        addSecrets(parameters, PRIVATE_KEYS, privateKeys);
        addSecrets(parameters, RINGS, rings);
        certificates.addAll(values(parameters, CERTIFICATES));
    }

    private static void addSecrets(Map<String, Object> parameters, String key, List<Secret> secrets) {
        List<byte[]> files = values(parameters, key);
        List<byte[]> passwords = values(parameters, key + PASSWORDS);
        for (int i = 0; i < files.size(); i++) {
            secrets.add(new Secret(
                    "%s[%d] of the payload".formatted(key, i),
                    files.get(i),
                    i < passwords.size() ? passwords.get(i) : new byte[0]));
        }
    }

    private static List<byte[]> values(Map<String, Object> parameters, String key) {
        if (!(parameters.get(key) instanceof List<?> list)) {
            return List.of();
        }
        if (list.size() > MAX_FILES) {
            throw new InvalidArgumentException(
                    "%s has %d keys, the limit is %d".formatted(key, list.size(), MAX_FILES));
        }
        // A password that is none is null.
        return list.stream()
                .map(value -> value instanceof String text ? Values.decode(text, key) : new byte[0])
                .toList();
    }

    /**
     * Adds every key of a folder and what is below it; no folder is no keys.
     *
     * @throws IOException if one cannot be read
     */
    public void addFolder(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        List<Path> files;
        // Kubernetes' secrets are links.
        try (Stream<Path> walk = Files.walk(folder, 8, FileVisitOption.FOLLOW_LINKS)) {
            files = walk.filter(Files::isRegularFile).limit(MAX_FILES + 1L).toList();
        }
        if (files.size() > MAX_FILES) {
            throw new InvalidArgumentException("%s has more than %d files".formatted(folder, MAX_FILES));
        }
        for (Path file : files) {
            boolean _ = add(file.toString(), read(file), new byte[0]);
        }
    }

    /**
     * Adds the key, certificate or ring of secret keys in a file.
     *
     * @param password empty for none
     * @throws InvalidArgumentException if it is none of them
     */
    public void addFile(Path file, byte[] password) throws IOException {
        if (!add(file.toString(), read(file), password)) {
            throw new InvalidArgumentException(
                    "%s is no private key, no certificate and no ring of OpenPGP secret keys".formatted(file));
        }
    }

    static byte[] read(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MAX_FILE + 1);
            if (bytes.length > MAX_FILE) {
                throw new InvalidArgumentException("%s has more than %d bytes: no key has".formatted(file, MAX_FILE));
            }
            return bytes;
        }
    }

    private boolean add(String name, byte[] file, byte[] password) {
        Optional<Pem> pem = Pem.parse(file);
        String label = pem.map(Pem::label).orElse("");
        if (label.endsWith("PRIVATE KEY")) {
            privateKeys.add(new Secret(name, file, password));
        } else if (label.equals("CERTIFICATE")) {
            certificates.add(file);
        } else if (label.equals("PGP PRIVATE KEY BLOCK")) {
            rings.add(new Secret(name, file, password));
        } else if (!label.isEmpty()) {
            return false;
        } else if (Keys.privateKey(file, password).isPresent()) {
            privateKeys.add(new Secret(name, file, password));
        } else if (Keys.certificate(file).isPresent()) {
            certificates.add(file);
        } else if (Pgp.isSecretKeyRing(file)) {
            rings.add(new Secret(name, file, password));
        } else {
            return false;
        }
        return true;
    }

    /** Tells a key provider something, as {@code provider:name:attribute} does; {@code attribute} may be empty. */
    public void addProvider(String name, String attribute) {
        provided.computeIfAbsent(name, _ -> new ArrayList<>()).add(attribute.getBytes(StandardCharsets.UTF_8));
    }

    /** Whether there is nothing to decrypt with; what key providers have nobody knows. */
    public boolean isEmpty() {
        return privateKeys.isEmpty() && rings.isEmpty();
    }

    /** The same as a payload's parameters. */
    public Map<String, Object> parameters() {
        Map<String, Object> parameters = new LinkedHashMap<>();
        put(parameters, PRIVATE_KEYS, privateKeys.stream().map(Secret::file).toList());
        put(
                parameters,
                PRIVATE_KEYS + PASSWORDS,
                privateKeys.stream().map(Secret::password).toList());
        put(parameters, CERTIFICATES, certificates);
        put(parameters, RINGS, rings.stream().map(Secret::file).toList());
        put(parameters, RINGS + PASSWORDS, rings.stream().map(Secret::password).toList());
        provided.forEach((name, attributes) -> put(parameters, name, attributes));
        return parameters;
    }

    private static void put(Map<String, Object> parameters, String key, List<byte[]> values) {
        if (!values.isEmpty()) {
            parameters.put(
                    key,
                    values.stream().map(Base64.getEncoder()::encodeToString).toList());
        }
    }

    /**
     * What is wrapped in one annotation's value; empty if no key fits.
     *
     * @param scheme {@code jwe}, {@code pkcs7} or {@code pgp}
     * @throws InvalidArgumentException if a key or what is wrapped is damaged
     */
    Optional<byte[]> unwrap(String scheme, byte[] wrapped) throws IOException {
        return switch (scheme) {
            case "jwe" -> unwrapJwe(wrapped);
            case "pkcs7" -> unwrapPkcs7(wrapped);
            case "pgp" -> unwrapPgp(wrapped);
            default -> throw new InvalidArgumentException("keys wrapped as \"%s\" are unknown".formatted(scheme));
        };
    }

    private interface Attempt {
        Optional<byte[]> with(Secret secret) throws IOException;
    }

    /** What the first fitting one opens. One that cannot be used is an error only if no other fits. */
    private static Optional<byte[]> first(List<Secret> secrets, Attempt attempt) throws IOException {
        List<String> unusable = new ArrayList<>();
        for (Secret secret : secrets) {
            try {
                Optional<byte[]> opened = attempt.with(secret);
                if (opened.isPresent()) {
                    return opened;
                }
            } catch (InvalidArgumentException e) {
                unusable.add(secret.name() + ": " + e.getMessage());
            }
        }
        if (!unusable.isEmpty()) {
            throw new InvalidArgumentException(String.join("; ", unusable));
        }
        return Optional.empty();
    }

    private Optional<byte[]> unwrapJwe(byte[] wrapped) throws IOException {
        return first(privateKeys, secret -> privateKey(secret).flatMap(key -> Jwe.decrypt(wrapped, key)));
    }

    private Optional<byte[]> unwrapPkcs7(byte[] wrapped) throws IOException {
        List<X509Certificate> parsed = certificates.stream()
                .flatMap(file -> Keys.certificate(file).stream())
                .toList();
        if (parsed.isEmpty()) {
            throw new InvalidArgumentException("there is no certificate among the keys, which PKCS#7 needs");
        }
        return first(privateKeys, secret -> {
            Optional<PrivateKey> key = privateKey(secret);
            return parsed.stream()
                    .flatMap(certificate -> key.flatMap(found -> Pkcs7.decrypt(wrapped, certificate, found)).stream())
                    .findFirst();
        });
    }

    private Optional<byte[]> unwrapPgp(byte[] wrapped) throws IOException {
        return first(rings, ring -> Pgp.decrypt(wrapped, ring.file(), ring.password()));
    }

    private static Optional<PrivateKey> privateKey(Secret secret) {
        return Keys.privateKey(secret.file(), secret.password());
    }

    /** JSON of imgcrypt's payload with these keys for a layer with these annotations. */
    public static byte[] payload(Map<String, Object> parameters, Map<String, Object> descriptor) {
        return Json.bytes(Map.of("DecryptConfig", Map.of("Parameters", parameters), "Descriptor", descriptor));
    }
}
