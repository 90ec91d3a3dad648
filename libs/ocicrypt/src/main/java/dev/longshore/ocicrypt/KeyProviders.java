package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Programs and services that wrap and unwrap keys, of the file that {@code OCICRYPT_KEYPROVIDER_CONFIG} names.
 *
 * @see <a href="https://github.com/containers/ocicrypt/blob/main/docs/keyprovider.md">key providers</a>
 */
public final class KeyProviders {

    /** The variable that names the file. */
    public static final String VARIABLE = "OCICRYPT_KEYPROVIDER_CONFIG";

    /** For a provider, which may ask a service on another machine. */
    private static final long ANSWER_SECONDS = 60;

    /** Bytes of an answer. */
    private static final int MAX_ANSWER = 1 << 20;

    /** No providers. */
    public static final KeyProviders NONE = new KeyProviders(new GrpcKeyProvider());

    private final Map<String, Map<String, Object>> providers = new LinkedHashMap<>();
    private final Remote remote;

    /** Asks a provider that is a gRPC service, {@code keyprovider.KeyProviderService}. */
    public interface Remote {

        /**
         * @param address {@code host:port}
         * @param wrap whether the method is {@code WrapKey}, not {@code UnWrapKey}
         * @param request JSON of ocicrypt's protocol
         * @return JSON of ocicrypt's protocol
         * @throws UnavailableException if it cannot be reached, or refuses
         */
        byte[] ask(String address, boolean wrap, byte[] request);
    }

    private KeyProviders(Remote remote) {
        this.remote = remote;
    }

    /**
     * Those of the file that the environment names. containerd's default configuration names one that is not there, so that is no
     * error.
     */
    public static KeyProviders of(Map<String, String> environment, Remote remote) throws IOException {
        KeyProviders providers = new KeyProviders(remote);
        String file = environment.getOrDefault(VARIABLE, "");
        if (!file.isEmpty() && Files.exists(Path.of(file))) {
            Map<String, Object> configured =
                    Json.object(Json.object(DecryptionKeys.read(Path.of(file)), file), "key-providers");
            configured.keySet().forEach(name -> providers.providers.put(name, Json.object(configured, name)));
        }
        return providers;
    }

    boolean has(String name) {
        return providers.containsKey(name);
    }

    byte[] unwrap(String name, byte[] wrapped, Map<String, Object> parameters) throws IOException {
        Map<String, Object> request = Map.of(
                "op",
                "keyunwrap",
                "keywrapparams",
                Map.of(),
                "keyunwrapparams",
                Map.of(
                        "dc", Map.of("Parameters", parameters),
                        "annotation", Base64.getEncoder().encodeToString(wrapped)));
        return result(ask(name, false, request), "keyunwrapresults", "optsdata", name);
    }

    /** @param attribute what the recipient's name has behind the provider's */
    byte[] wrap(String name, byte[] plain, String attribute) throws IOException {
        String encoded = Base64.getEncoder().encodeToString(attribute.getBytes(StandardCharsets.UTF_8));
        Map<String, Object> request = Map.of(
                "op",
                "keywrap",
                "keywrapparams",
                Map.of(
                        "ec",
                        Map.of(
                                "Parameters", Map.of(name, List.of(encoded)),
                                "DecryptConfig", Map.of("Parameters", Map.of())),
                        "optsdata",
                        Base64.getEncoder().encodeToString(plain)),
                "keyunwrapparams",
                Map.of());
        return result(ask(name, true, request), "keywrapresults", "annotation", name);
    }

    private static byte[] result(byte[] answer, String results, String key, String name) {
        byte[] value =
                Values.base64(Json.object(Json.object(answer, "the answer of key provider " + name), results), key);
        if (value.length == 0) {
            throw new InvalidArgumentException("key provider %s has answered without %s".formatted(name, key));
        }
        return value;
    }

    private byte[] ask(String name, boolean wrap, Map<String, Object> request) throws IOException {
        Map<String, Object> provider = Optional.ofNullable(providers.get(name))
                .orElseThrow(() -> new InvalidArgumentException(
                        "there is no key provider %s in the file that %s names".formatted(name, VARIABLE)));
        byte[] json = Json.bytes(request);
        Map<String, Object> command = Json.object(provider, "cmd");
        if (!command.isEmpty()) {
            return run(name, command, json);
        }
        String address = Json.string(provider, "grpc");
        if (address.isEmpty()) {
            throw new InvalidArgumentException("key provider %s has neither cmd nor grpc".formatted(name));
        }
        return remote.ask(address, wrap, json);
    }

    private static byte[] run(String name, Map<String, Object> command, byte[] request) throws IOException {
        List<String> words = new ArrayList<>(List.of(Json.string(command, "path")));
        words.addAll(Json.strings(command, "args"));
        Process process;
        try {
            process = new ProcessBuilder(words)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
        } catch (IOException e) {
            throw new FailedPreconditionException("key provider %s: %s".formatted(name, e.getMessage()), e);
        }
        try {
            // Ends what does not answer, and with it the reading below.
            Thread.ofVirtual().start(() -> endLate(process));
            try (OutputStream in = process.getOutputStream()) {
                in.write(request);
            } catch (IOException e) {
                // It need not read: its answer counts, or its exit status.
            }
            byte[] answer = process.getInputStream().readNBytes(MAX_ANSWER + 1);
            if (answer.length > MAX_ANSWER) {
                throw new InvalidArgumentException("key provider %s answers too much".formatted(name));
            }
            int status = process.waitFor();
            if (status != 0) {
                throw new FailedPreconditionException(
                        "key provider %s (%s) failed with exit status %d".formatted(name, words.getFirst(), status));
            }
            return answer;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for key provider " + name, e);
        } finally {
            process.destroyForcibly();
        }
    }

    private static void endLate(Process process) {
        try {
            if (!process.waitFor(ANSWER_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
