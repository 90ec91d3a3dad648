package dev.longshore.registry;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;

/**
 * Docker's {@code config.json}: credentials in it, or in the helper programs that it names. Read again on every use.
 *
 * @see <a href="https://github.com/docker/docker-credential-helpers">the helpers' protocol</a>
 */
public final class DockerConfig implements Credentials {

    /** Under this key Docker keeps what is for docker.io. */
    private static final String DOCKER_HUB = "https://index.docker.io/v1/";

    /** Where a helper's answer has a token and no user. */
    private static final String TOKEN_USER = "<token>";

    private static final long MAX_FILE = 1 << 20;
    private static final int MAX_ANSWER = 1 << 16;
    private static final long HELPER_SECONDS = 10;

    private static final Pattern HELPER_NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]*");

    private final Path file;

    /** @param file one that does not exist has no credentials */
    public DockerConfig(Path file) {
        this.file = file;
    }

    /** The one that Docker's client uses: in the folder that {@code DOCKER_CONFIG} names, or in the user's own. */
    public static DockerConfig ofUser(Map<String, String> environment) {
        String folder = environment.getOrDefault("DOCKER_CONFIG", "");
        Path config =
                folder.isEmpty() ? Path.of(environment.getOrDefault("HOME", "/root"), ".docker") : Path.of(folder);
        return new DockerConfig(config.resolve("config.json"));
    }

    @Override
    public Optional<Credential> of(String host) throws IOException {
        byte[] bytes;
        try {
            if (Files.size(file) > MAX_FILE) {
                throw new InvalidArgumentException("%s is larger than %d bytes".formatted(file, MAX_FILE));
            }
            bytes = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        Map<String, Object> config = Json.object(bytes, file.toString());
        String key = host.equals("docker.io") || host.endsWith(".docker.io") ? DOCKER_HUB : host;
        String helper = Json.string(Json.object(config, "credHelpers"), key);
        if (helper.isEmpty()) {
            helper = Json.string(config, "credsStore");
        }
        if (!helper.isEmpty()) {
            Optional<Credential> found = ask(helper, key);
            if (found.isPresent()) {
                return found;
            }
        }
        return inFile(Json.object(config, "auths"), key);
    }

    private Optional<Credential> inFile(Map<String, Object> auths, String key) {
        for (String name : auths.keySet()) {
            if (name.equals(key) || hostOf(name).equals(key)) {
                Map<String, Object> auth = Json.object(auths, name);
                String identity = Json.string(auth, "identitytoken");
                if (!identity.isEmpty()) {
                    return Optional.of(new Credential("", identity));
                }
                String encoded = Json.string(auth, "auth");
                if (!encoded.isEmpty()) {
                    return Optional.of(decode(encoded, name));
                }
                String user = Json.string(auth, "username");
                if (!user.isEmpty()) {
                    return Optional.of(new Credential(user, Json.string(auth, "password")));
                }
            }
        }
        return Optional.empty();
    }

    /** Older versions of Docker wrote addresses where newer ones write hosts. */
    private static String hostOf(String name) {
        String host = name.replaceFirst("^https?://", "");
        int slash = host.indexOf('/');
        return slash < 0 ? host : host.substring(0, slash);
    }

    private Credential decode(String encoded, String name) {
        try {
            String decoded = new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8);
            int colon = decoded.indexOf(':');
            if (colon > 0) {
                return new Credential(decoded.substring(0, colon), decoded.substring(colon + 1));
            }
        } catch (IllegalArgumentException e) {
            throw new InvalidArgumentException("%s: auths.%s.auth is no base64".formatted(file, name), e);
        }
        throw new InvalidArgumentException("%s: auths.%s.auth is not user:password".formatted(file, name));
    }

    private Optional<Credential> ask(String helper, String key) throws IOException {
        if (!HELPER_NAME.matcher(helper).matches()) {
            throw new InvalidArgumentException("%s: \"%s\" is no name of a credential helper".formatted(file, helper));
        }
        String program = "docker-credential-" + helper;
        Process process = new ProcessBuilder(List.of(program, "get"))
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        FutureTask<byte[]> answer =
                new FutureTask<>(() -> process.getInputStream().readNBytes(MAX_ANSWER));
        Thread.ofVirtual().name(program).start(answer);
        try (OutputStream in = process.getOutputStream()) {
            in.write(key.getBytes(StandardCharsets.UTF_8));
        }
        try {
            byte[] bytes = answer.get(HELPER_SECONDS, TimeUnit.SECONDS);
            if (!process.waitFor(HELPER_SECONDS, TimeUnit.SECONDS)) {
                throw new TimeoutException();
            }
            // It exits with 1 for what it does not have.
            if (process.exitValue() != 0) {
                return Optional.empty();
            }
            Map<String, Object> found = Json.object(bytes, "the answer of " + program);
            String user = Json.string(found, "Username");
            return Optional.of(new Credential(user.equals(TOKEN_USER) ? "" : user, Json.string(found, "Secret")));
        } catch (TimeoutException e) {
            throw new IOException("%s did not answer within %d s".formatted(program, HELPER_SECONDS), e);
        } catch (ExecutionException e) {
            throw new IOException(program + ": " + e.getCause(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while asking " + program, e);
        } finally {
            process.destroyForcibly();
        }
    }
}
