package dev.longshore.registry;

import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.UnauthenticatedException;
import dev.longshore.sdk.json.Json;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/**
 * Answers what registries ask for, and remembers the answer for the requests that follow. Made for one operation on one
 * repository, so nobody gets a token that somebody else's credentials bought.
 *
 * @see <a href="https://distribution.github.io/distribution/spec/auth/token/">token authentication</a>
 */
final class Authorizer {

    private static final int MAX_ANSWER = 1 << 20;

    /** Of a token whose answer does not say, by the specification. */
    private static final long DEFAULT_SECONDS = 60;

    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private static final String CLIENT_ID = "longshore";

    private final Credentials credentials;
    private final Clock clock;
    private final Map<String, Authorization> known = new ConcurrentHashMap<>();

    Authorizer(Credentials credentials, Clock clock) {
        this.credentials = credentials;
        this.clock = clock;
    }

    private record Authorization(String header, Instant expires) {}

    /** What to send to {@code host} as {@code Authorization}, as far as is known. */
    Optional<String> header(RegistryHost host, String scope) {
        Authorization authorization = known.get(key(host, scope));
        return authorization == null || authorization.expires.isBefore(clock.instant())
                ? Optional.empty()
                : Optional.of(authorization.header);
    }

    private static String key(RegistryHost host, String scope) {
        return host.base() + " " + scope;
    }

    /**
     * Gets an authorization for the challenges that {@code host} answered with.
     *
     * @param rejected whether one was sent with the request that was challenged
     * @throws UnauthenticatedException if there is nothing, or nothing more, to answer
     */
    void answer(HttpClient client, RegistryHost host, String scope, List<String> headers, boolean rejected)
            throws IOException, InterruptedException {
        List<Challenge> challenges = headers.stream()
                .flatMap(header -> Challenge.parse(header).stream())
                .toList();
        Optional<Challenge> bearer = challenges.stream()
                .filter(challenge -> challenge.scheme().equals("bearer"))
                .findFirst();
        if (bearer.isPresent()) {
            known.put(key(host, scope), token(client, host, scope, bearer.get()));
            return;
        }
        Optional<Credential> credential = credentials.of(host.credentialHost());
        boolean basic =
                challenges.stream().anyMatch(challenge -> challenge.scheme().equals("basic"));
        if (!basic || rejected || credential.isEmpty()) {
            throw new UnauthenticatedException(
                    basic && rejected
                            ? "%s does not accept the user and password for it: check them"
                                    .formatted(host.credentialHost())
                            : "%s wants to know who is asking: give a user and password for it (e.g. docker login)"
                                    .formatted(host.credentialHost()));
        }
        known.put(key(host, scope), new Authorization(basic(credential.get()), Instant.MAX));
    }

    private static String basic(Credential credential) {
        return "Basic "
                + Base64.getEncoder()
                        .encodeToString(
                                (credential.user() + ":" + credential.secret()).getBytes(StandardCharsets.UTF_8));
    }

    private Authorization token(HttpClient client, RegistryHost host, String scope, Challenge challenge)
            throws IOException, InterruptedException {
        URI realm = realm(host, challenge);
        Map<String, String> parameters = new LinkedHashMap<>();
        if (!challenge.parameter("service").isEmpty()) {
            parameters.put("service", challenge.parameter("service"));
        }
        parameters.put("scope", scope);
        Optional<Credential> credential = credentials.of(host.credentialHost());
        HttpRequest.Builder request = HttpRequest.newBuilder().timeout(TIMEOUT);
        if (credential.isPresent() && credential.get().user().isEmpty()) {
            parameters.put("grant_type", "refresh_token");
            parameters.put("client_id", CLIENT_ID);
            parameters.put("refresh_token", credential.get().secret());
            request.uri(realm)
                    .header("Content-Type", "application/x-www-form-urlencoded")
                    .POST(HttpRequest.BodyPublishers.ofString(encode(parameters)));
        } else {
            parameters.put("client_id", CLIENT_ID);
            credential.ifPresent(found -> {
                parameters.put("account", found.user());
                request.header("Authorization", basic(found));
            });
            request.uri(URI.create(realm + (realm.getRawQuery() == null ? "?" : "&") + encode(parameters)));
        }
        HttpResponse<InputStream> response = client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
        try (InputStream body = response.body()) {
            if (response.statusCode() != 200) {
                throw new UnauthenticatedException(
                        "%s gives no token for %s (status %d): check the user and password for %s"
                                .formatted(realm.getHost(), scope, response.statusCode(), host.credentialHost()));
            }
            return read(body.readNBytes(MAX_ANSWER), realm);
        }
    }

    private Authorization read(byte[] bytes, URI realm) throws IOException {
        try {
            Map<String, Object> answer = Json.object(bytes, "the token of " + realm.getHost());
            String token = Json.string(answer, "token");
            if (token.isEmpty()) {
                token = Json.string(answer, "access_token");
            }
            if (token.isEmpty() || token.chars().anyMatch(c -> c <= ' ' || c > '~')) {
                throw new IOException("%s answered without a token".formatted(realm.getHost()));
            }
            long seconds = answer.get("expires_in") instanceof Number number ? number.longValue() : DEFAULT_SECONDS;
            return new Authorization("Bearer " + token, clock.instant().plusSeconds(Math.clamp(seconds, 0, 86_400)));
        } catch (ContainerdException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /** A registry behind TLS must not make us send its password in the clear. */
    private static URI realm(RegistryHost host, Challenge challenge) throws IOException {
        try {
            URI realm = new URI(challenge.parameter("realm"));
            boolean clear = "http".equals(realm.getScheme())
                    && "http".equals(host.base().getScheme());
            if (realm.getHost() == null || !("https".equals(realm.getScheme()) || clear)) {
                throw new IOException("%s names no realm that a password can be sent to: \"%.255s\""
                        .formatted(host.base().getAuthority(), realm));
            }
            return realm;
        } catch (URISyntaxException e) {
            throw new IOException("%s names a realm that is no address: %s"
                    .formatted(host.base().getAuthority(), e.getMessage()));
        }
    }

    private static String encode(Map<String, String> parameters) {
        return parameters.entrySet().stream()
                .map(entry -> entry.getKey() + "=" + URLEncoder.encode(entry.getValue(), StandardCharsets.UTF_8))
                .collect(Collectors.joining("&"));
    }
}
