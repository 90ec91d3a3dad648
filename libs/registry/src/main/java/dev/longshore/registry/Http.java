package dev.longshore.registry;

import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.UnauthenticatedException;
import dev.longshore.sdk.errors.UnavailableException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Requests to registries: with authorization, redirects that never carry it to another origin, and patience with servers
 * that are busy. HTTP/1.1, since layers come faster over several connections than over the streams of one.
 */
final class Http implements AutoCloseable {

    private static final Duration ANSWER = Duration.ofSeconds(60);
    private static final Duration STALL = Duration.ofSeconds(30);
    private static final int MAX_REDIRECTS = 10;
    private static final int MAX_ATTEMPTS = 5;
    private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
    private static final Duration MAX_PAUSE = Duration.ofSeconds(20);

    /** Answers that may be others when asked again. */
    private static final Set<Integer> PASSING = Set.of(408, 429, 500, 502, 503, 504);

    private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Map<ClientKey, HttpClient> clients = new ConcurrentHashMap<>();

    /** What connections cannot be shared across. */
    private record ClientKey(TlsSettings tls, Duration dialTimeout) {}

    /** @param body opened anew for each attempt */
    record Upload(long size, Supplier<InputStream> body) {}

    /**
     * @param authorized whether {@code Authorization} and the host's own headers go with it
     * @param upload null for none
     */
    record Request(
            RegistryHost host,
            String method,
            URI uri,
            Map<String, String> headers,
            boolean authorized,
            String scope,
            @Nullable Upload upload) {}

    /** @param body to be closed */
    record Response(int status, HttpHeaders headers, URI uri, InputStream body) implements AutoCloseable {

        String header(String name) {
            return headers.firstValue(name).orElse("");
        }

        @Override
        public void close() throws IOException {
            body.close();
        }
    }

    /**
     * Sends {@code request}, again if the server was too busy or went away.
     *
     * @return an answer of any other status
     * @throws UnauthenticatedException if the server wants credentials that are not there or not good
     * @throws UnavailableException if the server cannot be reached, or is still too busy at the end
     */
    Response send(Request request, Authorizer authorizer, Deadline deadline) throws InterruptedException {
        Duration pause = FIRST_PAUSE;
        for (int attempt = 1; ; attempt++) {
            Duration wait = pause;
            try {
                Response response = authorized(request, authorizer, deadline);
                if (!PASSING.contains(response.status) || attempt == MAX_ATTEMPTS) {
                    return response;
                }
                response.close();
                wait = retryAfter(response, pause);
            } catch (IOException e) {
                if (attempt == MAX_ATTEMPTS) {
                    throw new UnavailableException(
                            "%s %s: %s".formatted(request.method, visible(request.uri), reason(e)), e);
                }
            }
            if (deadline.remaining().compareTo(wait) < 0) {
                throw new DeadlineExceededException(
                        "%s %s: no answer within the time for it".formatted(request.method, visible(request.uri)));
            }
            // With jitter: many nodes pull the same image at once.
            long jitter = ThreadLocalRandom.current().nextLong(wait.toMillis() / 2 + 1);
            if (closed.await(wait.toMillis() + jitter, TimeUnit.MILLISECONDS)) {
                throw new UnavailableException(
                        "%s %s: the client is closed".formatted(request.method, visible(request.uri)));
            }
            pause = pause.multipliedBy(2);
        }
    }

    private static Duration retryAfter(Response response, Duration pause) {
        String seconds = response.header("Retry-After");
        if (!seconds.matches("[0-9]{1,6}")) {
            return pause;
        }
        Duration asked = Duration.ofSeconds(Long.parseLong(seconds));
        return asked.compareTo(MAX_PAUSE) > 0 ? MAX_PAUSE : asked;
    }

    /** The messages of the JDK's connection errors are often null; their names are not. */
    private static String reason(IOException e) {
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }

    /** Queries of signed addresses are as good as passwords. */
    static String visible(URI uri) {
        return uri.getScheme() + "://" + uri.getAuthority() + uri.getPath();
    }

    private Response authorized(Request request, Authorizer authorizer, Deadline deadline)
            throws IOException, InterruptedException {
        // The second challenge is for a token that has become old; whoever asks a third time does not want us.
        for (int challenges = 0; ; challenges++) {
            String header = request.authorized
                    ? authorizer.header(request.host, request.scope).orElse("")
                    : "";
            Response response = redirected(request, header, deadline);
            if (response.status != 401 || !sameOrigin(response.uri, request.uri) || !request.authorized) {
                return response;
            }
            response.close();
            if (challenges == 2) {
                throw new UnauthenticatedException("%s refuses %s: check the user and password for it"
                        .formatted(request.host.credentialHost(), request.scope));
            }
            authorizer.answer(
                    client(request.host, false),
                    request.host,
                    request.scope,
                    response.headers.allValues("WWW-Authenticate"),
                    !header.isEmpty());
        }
    }

    private Response redirected(Request request, String authorization, Deadline deadline)
            throws IOException, InterruptedException {
        URI uri = request.uri;
        for (int redirects = 0; ; redirects++) {
            boolean own = sameOrigin(uri, request.uri);
            Response response = once(request, uri, own ? authorization : "", own, deadline);
            String location = response.header("Location");
            boolean redirect = response.status >= 301
                    && response.status <= 308
                    && response.status != 304
                    && !location.isEmpty()
                    && request.upload == null;
            if (!redirect) {
                return response;
            }
            response.close();
            if (redirects == MAX_REDIRECTS) {
                throw new IOException("more than %d redirects".formatted(MAX_REDIRECTS));
            }
            uri = location(uri, location);
        }
    }

    /** @throws IOException if {@code location} is no address, or leads out of TLS */
    static URI location(URI from, String location) throws IOException {
        URI uri;
        try {
            uri = from.resolve(location);
        } catch (IllegalArgumentException e) {
            throw new IOException("\"%.255s\" is no location".formatted(location), e);
        }
        String scheme = String.valueOf(uri.getScheme()).toLowerCase(Locale.ROOT);
        boolean http = scheme.equals("https") || (scheme.equals("http") && "http".equals(from.getScheme()));
        if (!http || uri.getHost() == null || uri.getUserInfo() != null) {
            throw new IOException("%s leads to \"%.255s\", which is not followed".formatted(visible(from), uri));
        }
        return uri;
    }

    static boolean sameOrigin(URI one, URI other) {
        return one.getScheme().equalsIgnoreCase(other.getScheme())
                && one.getAuthority().equalsIgnoreCase(other.getAuthority());
    }

    private Response once(Request request, URI uri, String authorization, boolean own, Deadline deadline)
            throws IOException, InterruptedException {
        HttpRequest.Builder builder = HttpRequest.newBuilder(uri).setHeader("User-Agent", "longshore");
        if (own && request.authorized) {
            request.host.headers().forEach((name, values) -> values.forEach(value -> builder.header(name, value)));
        }
        new LinkedHashMap<>(request.headers).forEach(builder::setHeader);
        if (!authorization.isEmpty()) {
            builder.setHeader("Authorization", authorization);
        }
        Duration left = deadline.remaining();
        if (left.isNegative() || left.isZero()) {
            throw new DeadlineExceededException("%s %s: no time is left".formatted(request.method, visible(uri)));
        }
        Upload upload = request.upload;
        // The time covers sending the body, too, and that may be long.
        builder.timeout((upload != null && upload.size > 0) || left.compareTo(ANSWER) < 0 ? left : ANSWER);
        builder.method(
                request.method,
                upload == null
                        ? BodyPublishers.noBody()
                        : upload.size == 0
                                ? BodyPublishers.ofByteArray(new byte[0])
                                : BodyPublishers.fromPublisher(BodyPublishers.ofInputStream(upload.body), upload.size));
        // Whoever has less patience than that need not wait so long for a server that goes silent in the middle of a
        // body.
        Duration stall = left.compareTo(STALL) < 0 ? left : STALL;
        HttpResponse<InputStream> response =
                client(request.host, own).send(builder.build(), _ -> new BodyStream(stall));
        return new Response(response.statusCode(), response.headers(), uri, response.body());
    }

    /** @param own whether it is for the host itself, which alone learns our client certificates */
    private HttpClient client(RegistryHost host, boolean own) throws IOException {
        TlsSettings tls = own
                ? host.tls()
                : new TlsSettings(
                        host.tls().authorities(), List.of(), host.tls().skipVerify());
        ClientKey key = new ClientKey(tls, host.dialTimeout());
        HttpClient known = clients.get(key);
        if (known != null) {
            return known;
        }
        HttpClient.Builder builder = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .followRedirects(HttpClient.Redirect.NEVER)
                .connectTimeout(host.dialTimeout())
                .executor(executor);
        if (!tls.equals(TlsSettings.DEFAULT)) {
            builder.sslContext(TlsContext.of(tls));
        }
        HttpClient made = builder.build();
        HttpClient earlier = clients.putIfAbsent(key, made);
        if (earlier != null) {
            made.close();
            return earlier;
        }
        return made;
    }

    @Override
    public void close() {
        closed.countDown();
        clients.values().forEach(HttpClient::shutdownNow);
        executor.shutdownNow();
    }
}
