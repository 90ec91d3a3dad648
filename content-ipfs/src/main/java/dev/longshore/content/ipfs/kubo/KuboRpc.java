package dev.longshore.content.ipfs.kubo;

import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Calls of a node's RPC API. Each has a deadline, for connecting, the answer and its body together, and a limit on the answer. */
final class KuboRpc implements AutoCloseable {

    private static final Duration CONNECT = Duration.ofSeconds(5);

    /** Bytes of an answer that is no block. */
    static final int MAX_DOCUMENT = 1 << 20;

    private static final String BOUNDARY = "longshore-3f1c9a70b7d64b6c";

    private final ApiAddress address;
    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(CONNECT)
            .build();

    KuboRpc(ApiAddress address) {
        this.address = address;
    }

    /** What the node said instead of doing what it was asked. */
    static final class Refusal extends IOException {

        private final String said;

        private Refusal(String message, String said) {
            super(message);
            this.said = said;
        }

        /** The node's own words. */
        String said() {
            return said;
        }
    }

    /** @param what for messages, e.g. the block that it is about */
    Map<String, Object> call(String command, Map<String, String> arguments, String what, Deadline deadline)
            throws IOException {
        return document(post(command, arguments, HttpRequest.newBuilder(), MAX_DOCUMENT, what, deadline), what);
    }

    /** Sends {@code data} as the one file of the call. */
    Map<String, Object> upload(
            String command, Map<String, String> arguments, byte[] data, String what, Deadline deadline)
            throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream(data.length + 256);
        body.writeBytes(("--" + BOUNDARY + "\r\nContent-Disposition: form-data; name=\"data\"; filename=\"data\"\r\n"
                        + "Content-Type: application/octet-stream\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII));
        body.writeBytes(data);
        body.writeBytes(("\r\n--" + BOUNDARY + "--\r\n").getBytes(StandardCharsets.US_ASCII));
        HttpRequest.Builder request = HttpRequest.newBuilder()
                .header("Content-Type", "multipart/form-data; boundary=" + BOUNDARY)
                .POST(BodyPublishers.ofByteArray(body.toByteArray()));
        return document(post(command, arguments, request, MAX_DOCUMENT, what, deadline), what);
    }

    /** @param limit bytes of an answer; a longer one is an error */
    byte[] download(String command, Map<String, String> arguments, int limit, String what, Deadline deadline)
            throws IOException {
        return post(command, arguments, HttpRequest.newBuilder(), limit, what, deadline);
    }

    private byte[] post(
            String command,
            Map<String, String> arguments,
            HttpRequest.Builder builder,
            int limit,
            String what,
            Deadline deadline)
            throws IOException {
        Duration left = deadline.remaining();
        if (left.isZero()) {
            throw new IOException("%s: no time is left to ask %s".formatted(what, this));
        }
        HttpRequest request = withBody(builder.uri(uri(command, arguments)), left);
        // Room for what a node says when it refuses a small answer.
        var handler = BodyHandlers.limiting(BodyHandlers.ofByteArray(), Math.max(limit, MAX_DOCUMENT));
        HttpResponse<byte[]> response = await(client.sendAsync(request, handler), what, left);
        if (response.statusCode() != 200) {
            throw refusal(response, what);
        }
        if (response.body().length > limit) {
            throw new IOException(
                    "%s: %s answered %d bytes, the limit is %d".formatted(what, this, response.body().length, limit));
        }
        return response.body();
    }

    /** The node takes no other method. */
    private static HttpRequest withBody(HttpRequest.Builder builder, Duration timeout) {
        HttpRequest request = builder.timeout(timeout).build();
        return request.bodyPublisher().isPresent()
                ? request
                : builder.POST(BodyPublishers.noBody()).build();
    }

    private URI uri(String command, Map<String, String> arguments) {
        StringBuilder query = new StringBuilder();
        new TreeMap<>(arguments)
                .forEach((key, value) -> query.append(query.isEmpty() ? '?' : '&')
                        .append(key)
                        .append('=')
                        .append(URLEncoder.encode(value, StandardCharsets.UTF_8)));
        return URI.create(address.uri() + "/api/v0/" + command + query);
    }

    private HttpResponse<byte[]> await(CompletableFuture<HttpResponse<byte[]>> answer, String what, Duration timeout)
            throws IOException {
        try {
            return answer.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            answer.cancel(true);
            throw new IOException("%s: %s did not answer within %d ms".formatted(what, this, timeout.toMillis()), e);
        } catch (InterruptedException e) {
            answer.cancel(true);
            Thread.currentThread().interrupt();
            InterruptedIOException interrupted = new InterruptedIOException(what + ": interrupted");
            interrupted.initCause(e);
            throw interrupted;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof ConnectException) {
                throw new IOException(
                        "%s: %s cannot be reached: start it (ipfs daemon), or name the right one with --api"
                                .formatted(what, this),
                        e);
            }
            if (e.getCause() instanceof java.net.http.HttpTimeoutException) {
                throw new IOException(
                        "%s: %s did not answer within %d ms".formatted(what, this, timeout.toMillis()), e);
            }
            throw new IOException("%s: asking %s failed: %s".formatted(what, this, reason(e)), e);
        }
    }

    private static String reason(ExecutionException e) {
        Throwable cause = e.getCause();
        return cause == null || cause.getMessage() == null ? String.valueOf(cause) : cause.getMessage();
    }

    private Refusal refusal(HttpResponse<byte[]> response, String what) {
        String said =
                new String(response.body(), 0, Math.min(response.body().length, 1000), StandardCharsets.UTF_8).strip();
        try {
            said = Json.string(Json.object(response.body(), "the answer"), "Message");
        } catch (InvalidArgumentException e) {
            // In words: it was not the API itself that answered.
        }
        return new Refusal(
                "%s: %s answered with status %d: %.300s".formatted(what, this, response.statusCode(), said), said);
    }

    private Map<String, Object> document(byte[] answer, String what) throws IOException {
        try {
            return Json.object(answer, "the answer");
        } catch (InvalidArgumentException e) {
            throw new IOException(
                    "%s: %s answered something else than JSON: %s".formatted(what, this, e.getMessage()), e);
        }
    }

    @Override
    public void close() {
        client.shutdownNow();
    }

    @Override
    public String toString() {
        return "the IPFS node at " + address;
    }
}
