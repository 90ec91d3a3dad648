package dev.longshore.content.ipfs;

import dev.longshore.ipfs.BlockSource;
import dev.longshore.ipfs.Cid;
import dev.longshore.ipfs.MissingBlockException;
import dev.longshore.sdk.context.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Reads blocks from a trustless gateway. What it answers is not believed: whoever asks verifies.
 *
 * @see <a href="https://specs.ipfs.tech/http-gateways/trustless-gateway/">trustless gateways</a>
 */
final class GatewaySource implements BlockSource, AutoCloseable {

    /** Requests under way at a time. */
    private static final int MAX_REQUESTS = 16;

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);

    private final URI base;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final HttpClient client;
    private final Semaphore requests = new Semaphore(MAX_REQUESTS);

    /** @param base without a path, or with one to put {@code /ipfs/} behind */
    GatewaySource(URI base) {
        this.base = base;
        this.client = HttpClient.newBuilder()
                .connectTimeout(CONNECT_TIMEOUT)
                .followRedirects(HttpClient.Redirect.NORMAL)
                .executor(threads)
                .build();
    }

    /** For messages. */
    String name() {
        return "gateway " + base;
    }

    @Override
    public byte[] get(Cid cid, Deadline deadline) throws IOException {
        Future<byte[]> answer = threads.submit(() -> ask(cid, deadline));
        try {
            // The client's own timeout ends with the headers.
            return answer.get(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            boolean _ = answer.cancel(true);
            throw new IOException("%s did not give block %s in time".formatted(name(), cid), e);
        } catch (InterruptedException e) {
            boolean _ = answer.cancel(true);
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while fetching block " + cid);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof MissingBlockException missing) {
                throw missing;
            }
            throw new IOException("%s: block %s: %s".formatted(name(), cid, e.getCause()), e);
        }
    }

    private byte[] ask(Cid cid, Deadline deadline) throws IOException, InterruptedException {
        requests.acquire();
        try {
            Duration left = deadline.remaining();
            if (left.isZero()) {
                throw new HttpTimeoutException("too many requests are under way");
            }
            HttpRequest request = HttpRequest.newBuilder(
                            URI.create(base.toString().replaceFirst("/+$", "") + "/ipfs/" + cid + "?format=raw"))
                    .header("Accept", "application/vnd.ipld.raw")
                    .timeout(left)
                    .GET()
                    .build();
            HttpResponse<InputStream> response = client.send(request, HttpResponse.BodyHandlers.ofInputStream());
            try (InputStream body = response.body()) {
                return switch (response.statusCode()) {
                    case 200 -> body.readNBytes(MAX_BLOCK + 1); // one more: whoever verifies refuses it by its length
                    case 404, 410 ->
                        throw new MissingBlockException("%s does not have block %s".formatted(name(), cid));
                    default -> throw new IOException("answered %d".formatted(response.statusCode()));
                };
            }
        } finally {
            requests.release();
        }
    }

    @Override
    public void close() {
        client.shutdownNow();
        threads.shutdownNow();
    }
}
