package dev.longshore.registry;

import dev.longshore.registry.Http.Request;
import dev.longshore.registry.Http.Response;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DataLossException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.PermissionDeniedException;
import dev.longshore.sdk.errors.UnauthenticatedException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.oci.Descriptor;
import dev.longshore.sdk.oci.Manifests;
import dev.longshore.sdk.oci.MediaTypes;
import dev.longshore.sdk.oci.Reference;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Images in registries: {@link #resolve} finds out what a name stands for, {@link #fetch} reads a manifest or a blob of it,
 * {@link #push} gives one away. Hosts are asked in the order of {@link HostsDirectory}; one that fails is passed over for
 * the next. Safe for use by many threads; one object serves one operation, whose tokens it keeps.
 */
public final class Registry implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Registry.class);

    /** Bytes of a manifest or index. containerd's limit. */
    public static final int MAX_MANIFEST = 8 << 20;

    private static final int MAX_ERROR = 1 << 16;

    private static final String ACCEPT = String.join(
            ", ",
            MediaTypes.DOCKER_MANIFEST,
            MediaTypes.DOCKER_INDEX,
            MediaTypes.OCI_MANIFEST,
            MediaTypes.OCI_INDEX,
            "*/*");

    /** First and last byte, and the size of the whole. */
    static final Pattern CONTENT_RANGE = Pattern.compile("bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})");

    /** Ranges of one request: some servers count them, and all bound their headers. */
    private static final int MAX_RANGES = 32;

    /** Hosts of which is remembered that they know single ranges only. */
    private static final int MAX_HOSTS = 1000;

    private final HostsDirectory hosts;
    private final Map<String, String> headers;
    private final Authorizer authorizer;
    private final Http http = new Http();
    private final Set<String> oneAtATime = ConcurrentHashMap.newKeySet();

    public Registry(HostsDirectory hosts, Credentials credentials) {
        this(hosts, credentials, Map.of());
    }

    /** @param headers for the registry itself; not for its mirrors, nor for where it leads to */
    public Registry(HostsDirectory hosts, Credentials credentials, Map<String, String> headers) {
        this.hosts = hosts;
        this.headers = Map.copyOf(headers);
        this.authorizer = new Authorizer(credentials, Clock.systemUTC());
    }

    /**
     * What {@code reference} stands for.
     *
     * @throws NotFoundException if no host has it
     * @throws UnauthenticatedException if a host wants credentials
     * @throws UnavailableException if none could be asked
     */
    public Descriptor resolve(CallContext context, Reference reference) throws IOException, InterruptedException {
        return onHosts(
                reference, Capability.RESOLVE, reference.toString(), host -> resolveOn(context, reference, host));
    }

    private Descriptor resolveOn(CallContext context, Reference reference, RegistryHost host)
            throws IOException, InterruptedException {
        URI uri = uri(host, reference, "manifests/" + reference.object());
        Request head = request(host, "HEAD", uri, reference, Map.of("Accept", ACCEPT));
        try (Response response = http.send(head, authorizer, context.deadline())) {
            String digest = response.header("Docker-Content-Digest");
            long size = response.headers().firstValueAsLong("Content-Length").orElse(0);
            String type = mediaType(response);
            if (response.status() == 200 && !digest.isEmpty() && size > 0 && !type.isEmpty()) {
                Descriptor descriptor = new Descriptor(type, Digest.parse(digest), size);
                return checked(reference, descriptor);
            }
            // Some refuse HEAD, and some leave the digest out: both are told by GET.
            if (response.status() != 200 && response.status() != 405) {
                throw failure(response, "HEAD", reference.toString());
            }
        }
        Request get = request(host, "GET", uri, reference, Map.of("Accept", ACCEPT));
        try (Response response = http.send(get, authorizer, context.deadline())) {
            if (response.status() != 200) {
                throw failure(response, "GET", reference.toString());
            }
            byte[] manifest = response.body().readNBytes(MAX_MANIFEST + 1);
            if (manifest.length > MAX_MANIFEST) {
                throw new InvalidArgumentException(
                        "manifest of %s is larger than %d bytes".formatted(reference, MAX_MANIFEST));
            }
            String algorithm = reference.digest().map(Digest::algorithm).orElse("sha256");
            MessageDigest digester = Digest.digester(algorithm);
            digester.update(manifest);
            return checked(
                    reference, new Descriptor(mediaType(response), Digest.of(algorithm, digester), manifest.length));
        }
    }

    private static Descriptor checked(Reference reference, Descriptor descriptor) {
        if (reference.digest().isPresent() && !reference.digest().get().equals(descriptor.digest())) {
            throw new DataLossException(
                    "%s was asked for and %s was answered".formatted(reference, descriptor.digest()));
        }
        if (descriptor.size() > MAX_MANIFEST) {
            throw new InvalidArgumentException("manifest of %s has %d bytes, the limit is %d"
                    .formatted(reference, descriptor.size(), MAX_MANIFEST));
        }
        return descriptor;
    }

    private static String mediaType(Response response) {
        String type = response.header("Content-Type");
        int parameters = type.indexOf(';');
        return (parameters < 0 ? type : type.substring(0, parameters)).strip();
    }

    /**
     * Reads {@code descriptor}, resuming where a connection breaks. What comes is not verified here: whoever stores it
     * compares its digest. No more than the descriptor's size is given out.
     *
     * @param urls where a foreign layer lies; asked before the registry, and never with credentials
     * @param offset bytes of it to leave out
     */
    public InputStream fetch(
            CallContext context, Reference reference, Descriptor descriptor, List<URI> urls, long offset)
            throws IOException, InterruptedException {
        return fetch(context, reference, descriptor, urls, offset, descriptor.size());
    }

    /**
     * The bytes from {@code offset} up to, not with, {@code end}. A server that does not know ranges sends all that is before
     * them, too.
     */
    public InputStream fetch(
            CallContext context, Reference reference, Descriptor descriptor, List<URI> urls, long offset, long end)
            throws IOException, InterruptedException {
        ResumingStream stream = new ResumingStream(
                from -> open(context, reference, descriptor, urls, from, end).in(), descriptor.digest(), offset, end);
        stream.connect();
        return stream;
    }

    /**
     * How a big blob is fetched over several connections.
     *
     * @param size bytes of a piece
     * @param atOnce pieces on their way; these, and the one that is being read, are in memory
     */
    public record Pieces(int size, int atOnce) {}

    /**
     * As {@link #fetch}, in pieces, several at a time: where it is the single connection that is slow. A server that does not know
     * ranges sends the blob in one.
     */
    public InputStream fetchInPieces(
            CallContext context, Reference reference, Descriptor descriptor, List<URI> urls, long offset, Pieces pieces)
            throws IOException, InterruptedException {
        long end = descriptor.size();
        if (end - offset <= pieces.size()) {
            return fetch(context, reference, descriptor, urls, offset);
        }
        Body first = open(context, reference, descriptor, urls, offset, offset + pieces.size());
        if (!first.ranged()) {
            return new ResumingStream(
                    from -> open(context, reference, descriptor, urls, from, end)
                            .in(),
                    descriptor.digest(),
                    offset,
                    end,
                    first.in());
        }
        return new PieceStream(
                (from, to) -> new ResumingStream(
                        at -> open(context, reference, descriptor, urls, at, to).in(),
                        descriptor.digest(),
                        from,
                        to,
                        from == offset ? first.in() : null),
                offset,
                end,
                pieces);
    }

    /**
     * How a blob ends, and what that tells of it.
     *
     * @param size bytes of the whole blob
     * @param bytes its last ones; none if the server does not know ranges
     * @param ranged whether the server can send a part of a blob
     */
    public record Tail(long size, ByteBuffer bytes, boolean ranged) {}

    /**
     * Reads the last {@code length} bytes of a blob of unknown size, or all of it if it is smaller: in one request where the
     * server knows ranges that count from the end, else in two.
     *
     * @throws NotFoundException if no host has it
     * @throws UnavailableException if none could be asked
     */
    public Tail tail(CallContext context, Reference reference, Digest digest, int length)
            throws IOException, InterruptedException {
        String what = digest + " of " + reference;
        return onHosts(reference, Capability.PULL, what, host -> {
            URI uri = uri(host, reference, "blobs/" + digest);
            Optional<Tail> tail = tail(context, host, reference, uri, "bytes=-" + length, length, what);
            if (tail.isPresent()) {
                return tail.get();
            }
            Tail first = tail(context, host, reference, uri, "bytes=0-0", 1, what)
                    .orElseThrow(() -> new InvalidArgumentException(what + " is empty"));
            if (!first.ranged()) {
                return first;
            }
            long from = Math.max(0, first.size() - length);
            return tail(
                            context,
                            host,
                            reference,
                            uri,
                            "bytes=%d-%d".formatted(from, first.size() - 1),
                            (int) (first.size() - from),
                            what)
                    .orElseThrow(() -> new IOException(what + " changed its size between two requests"));
        });
    }

    /** @return empty if the server does not take that kind of range */
    private Optional<Tail> tail(
            CallContext context, RegistryHost host, Reference reference, URI uri, String range, int length, String what)
            throws IOException, InterruptedException {
        Map<String, String> headers = Map.of("Accept", "*/*", "Accept-Encoding", "identity", "Range", range);
        try (Response response =
                http.send(request(host, "GET", uri, reference, headers), authorizer, context.deadline())) {
            return switch (response.status()) {
                case 206 -> Optional.of(part(response, range, length, what));
                case 200 -> Optional.of(whole(response, what));
                // Servers that know ranges, but none that count from the end, answer with any of these.
                case 400, 416, 501 -> Optional.empty();
                default -> throw failure(response, "GET", what);
            };
        }
    }

    private static Tail part(Response response, String range, int length, String what) throws IOException {
        String answered = response.header("Content-Range");
        Matcher matcher = CONTENT_RANGE.matcher(answered);
        if (!matcher.matches()) {
            throw new IOException("%s: \"%.80s\" does not say which part of it came".formatted(what, answered));
        }
        long size = Long.parseLong(matcher.group(3));
        long count = Long.parseLong(matcher.group(2)) + 1 - Long.parseLong(matcher.group(1));
        if (count < 0 || count > length || size < count) {
            throw new IOException("%s: %s were asked for and \"%.80s\" came".formatted(what, range, answered));
        }
        byte[] bytes = response.body().readNBytes((int) count);
        if (bytes.length < count) {
            throw new IOException("%s: the body ended at byte %d of %d".formatted(what, bytes.length, count));
        }
        return new Tail(size, ByteBuffer.wrap(bytes), true);
    }

    private static Tail whole(Response response, String what) throws IOException {
        long size = response.headers()
                .firstValueAsLong("Content-Length")
                .orElseThrow(() -> new IOException(what + ": the server does not say how large it is"));
        return new Tail(size, ByteBuffer.allocate(0), false);
    }

    /** @param ranged whether it ends where it was asked to; else it goes on to the blob's end */
    private record Body(InputStream in, boolean ranged) {}

    private Body open(
            CallContext context, Reference reference, Descriptor descriptor, List<URI> urls, long from, long end)
            throws IOException, InterruptedException {
        for (URI url : urls) {
            if ("http".equals(url.getScheme()) || "https".equals(url.getScheme())) {
                Optional<Body> body = foreign(context.deadline(), url, descriptor, from, end);
                if (body.isPresent()) {
                    return body.get();
                }
            }
        }
        boolean manifest = Manifests.isIndex(descriptor.mediaType()) || Manifests.isManifest(descriptor.mediaType());
        String path = (manifest ? "manifests/" : "blobs/") + descriptor.digest();
        String what = descriptor.digest() + " of " + reference;
        return onHosts(reference, Capability.PULL, what, host -> {
            Map<String, String> headers =
                    headers(manifest ? descriptor.mediaType() + ", */*" : "*/*", from, end, descriptor.size());
            return body(
                    http.send(
                            request(host, "GET", uri(host, reference, path), reference, headers),
                            authorizer,
                            context.deadline()),
                    what,
                    from);
        });
    }

    /** What is done with the bytes of a range. */
    @FunctionalInterface
    public interface RangeSink {

        /** @param in ends with the range; what is left in it is passed over */
        void take(ByteRange range, InputStream in) throws IOException;
    }

    /**
     * Reads several ranges of a blob, in one request where the server knows how, else in one for each.
     *
     * @param ranges ascending, none overlapping another
     * @param sink gets them in their order
     * @throws IOException of the sink, or if a body breaks off; those that the sink has taken need not be asked for again
     */
    public void fetchRanges(
            CallContext context, Reference reference, Descriptor descriptor, List<ByteRange> ranges, RangeSink sink)
            throws IOException, InterruptedException {
        for (int from = 0; from < ranges.size(); from += MAX_RANGES) {
            List<ByteRange> some = ranges.subList(from, Math.min(ranges.size(), from + MAX_RANGES));
            int given = some.size() > 1 ? fetchAtOnce(context, reference, descriptor, some, sink) : 0;
            for (ByteRange range : some.subList(given, some.size())) {
                try (InputStream in = fetch(context, reference, descriptor, List.of(), range.begin(), range.end())) {
                    sink.take(range, in);
                }
            }
        }
    }

    /** An answer, and of which host it is. */
    private record Answer(String host, Response response) {}

    /** @return how many were given to the sink */
    private int fetchAtOnce(
            CallContext context, Reference reference, Descriptor descriptor, List<ByteRange> ranges, RangeSink sink)
            throws IOException, InterruptedException {
        String what = descriptor.digest() + " of " + reference;
        Map<String, String> headers = Map.of(
                "Accept",
                "*/*",
                "Accept-Encoding",
                "identity",
                "Range",
                "bytes=" + ranges.stream().map(ByteRange::toString).collect(Collectors.joining(",")));
        Optional<Answer> asked = onHosts(reference, Capability.PULL, what, host -> {
            String name = host.base().getAuthority();
            if (oneAtATime.contains(name)) {
                return Optional.empty();
            }
            URI uri = uri(host, reference, "blobs/" + descriptor.digest());
            Response response =
                    http.send(request(host, "GET", uri, reference, headers), authorizer, context.deadline());
            return switch (response.status()) {
                // What servers answer that know single ranges only; see below.
                case 200, 206, 400, 416, 501 -> Optional.of(new Answer(name, response));
                default -> {
                    try (response) {
                        throw failure(response, "GET", what);
                    }
                }
            };
        });
        return asked.isPresent() ? give(asked.get(), ranges, descriptor.size(), sink) : 0;
    }

    private int give(Answer answer, List<ByteRange> ranges, long size, RangeSink sink) throws IOException {
        int given = 0;
        String why = "status " + answer.response.status();
        try (Response response = answer.response) {
            if (response.status() == 206) {
                RangesAnswer parts = RangesAnswer.of(response, ranges, size);
                try {
                    parts.give(sink);
                    why = "not all came";
                } finally {
                    given = parts.given();
                }
            }
        } catch (RangeFormatException e) {
            why = String.valueOf(e.getMessage());
        }
        if (given < ranges.size()) {
            log.atDebug()
                    .addKeyValue("host", answer.host)
                    .addKeyValue("err", why)
                    .log("a host does not answer several ranges at once: it is asked for one at a time from now on");
            if (oneAtATime.size() < MAX_HOSTS) {
                oneAtATime.add(answer.host);
            }
        }
        return given;
    }

    private static Map<String, String> headers(String accept, long from, long end, long size) {
        // Compression on the way would make offsets meaningless.
        return from == 0 && end == size
                ? Map.of("Accept", accept, "Accept-Encoding", "identity")
                : Map.of(
                        "Accept",
                        accept,
                        "Accept-Encoding",
                        "identity",
                        "Range",
                        "bytes=%d-%d".formatted(from, end - 1));
    }

    private Optional<Body> foreign(Deadline deadline, URI url, Descriptor descriptor, long from, long end)
            throws IOException, InterruptedException {
        RegistryHost host = new RegistryHost(
                url,
                url.getAuthority(),
                true,
                Set.of(Capability.PULL),
                TlsSettings.DEFAULT,
                Map.of(),
                RegistryHost.DEFAULT_DIAL_TIMEOUT);
        try {
            Request request =
                    new Request(host, "GET", url, headers("*/*", from, end, descriptor.size()), false, "", null);
            return Optional.of(body(http.send(request, authorizer, deadline), Http.visible(url), from));
        } catch (ContainerdException e) {
            log.atWarn()
                    .addKeyValue("digest", descriptor.digest())
                    .addKeyValue("err", e.getMessage())
                    .log("foreign layer cannot be had from its address");
            return Optional.empty();
        }
    }

    /** The body from {@code from} on, also of a server that answers a range with the whole. */
    private static Body body(Response response, String what, long from) throws IOException {
        if (response.status() == 206) {
            String range = response.header("Content-Range");
            if (!range.startsWith("bytes %d-".formatted(from))) {
                response.close();
                throw new IOException(
                        "%s: bytes from %d were asked for and \"%.80s\" came".formatted(what, from, range));
            }
            return new Body(response.body(), true);
        }
        if (response.status() != 200) {
            try (response) {
                throw failure(response, "GET", what);
            }
        }
        response.body().skipNBytes(from);
        return new Body(response.body(), false);
    }

    /** Whether a registry has {@code descriptor} in the repository of {@code reference}. */
    private boolean exists(CallContext context, RegistryHost host, Reference reference, String path, Digest digest)
            throws InterruptedException, IOException {
        Request head =
                request(host, "HEAD", uri(host, reference, path), reference, Map.of("Accept", ACCEPT), "pull,push");
        try (Response response = http.send(head, authorizer, context.deadline())) {
            if (response.status() == 200) {
                String stated = response.header("Docker-Content-Digest");
                return stated.isEmpty() ? path.endsWith(digest.toString()) : stated.equals(digest.toString());
            }
            if (response.status() == 404) {
                return false;
            }
            throw failure(response, "HEAD", digest + " of " + reference);
        }
    }

    /**
     * Gives {@code descriptor} to the registry; a manifest also gets the tag of {@code reference}, if it has one and {@code
     * tagged} is true. What is there already is not sent again.
     *
     * @param upload opened for each attempt
     * @return whether anything was sent
     */
    public boolean push(CallContext context, Reference reference, Descriptor descriptor, boolean tagged, Upload upload)
            throws IOException, InterruptedException {
        return onHosts(reference, Capability.PUSH, descriptor.digest() + " of " + reference, host -> {
            boolean manifest =
                    Manifests.isIndex(descriptor.mediaType()) || Manifests.isManifest(descriptor.mediaType());
            if (manifest) {
                String object = tagged && reference.tag().isPresent()
                        ? reference.tag().get()
                        : descriptor.digest().toString();
                return pushManifest(context, host, reference, descriptor, "manifests/" + object, upload);
            }
            return pushBlob(context, host, reference, descriptor, upload);
        });
    }

    /** The bytes to push. */
    @FunctionalInterface
    public interface Upload {
        InputStream open() throws IOException;
    }

    private boolean pushManifest(
            CallContext context,
            RegistryHost host,
            Reference reference,
            Descriptor descriptor,
            String path,
            Upload upload)
            throws IOException, InterruptedException {
        if (exists(context, host, reference, path, descriptor.digest())) {
            return false;
        }
        put(context, host, reference, uri(host, reference, path), descriptor, descriptor.mediaType(), upload);
        return true;
    }

    private boolean pushBlob(
            CallContext context, RegistryHost host, Reference reference, Descriptor descriptor, Upload upload)
            throws IOException, InterruptedException {
        if (exists(context, host, reference, "blobs/" + descriptor.digest(), descriptor.digest())) {
            return false;
        }
        Request post = new Request(
                host,
                "POST",
                uri(host, reference, "blobs/uploads/"),
                Map.of(),
                true,
                scope(reference, "pull,push"),
                new Http.Upload(0, InputStream::nullInputStream));
        URI location;
        try (Response response = http.send(post, authorizer, context.deadline())) {
            if (response.status() != 202 || response.header("Location").isEmpty()) {
                throw failure(response, "POST", descriptor.digest() + " of " + reference);
            }
            location = Http.location(response.uri(), response.header("Location"));
        }
        String digest = "digest=" + URLEncoder.encode(descriptor.digest().toString(), StandardCharsets.UTF_8);
        URI target = URI.create(location + (location.getRawQuery() == null ? "?" : "&") + digest);
        put(context, host, reference, target, descriptor, "application/octet-stream", upload);
        return true;
    }

    private void put(
            CallContext context,
            RegistryHost host,
            Reference reference,
            URI uri,
            Descriptor descriptor,
            String contentType,
            Upload upload)
            throws IOException, InterruptedException {
        Request put = new Request(
                host,
                "PUT",
                uri,
                Map.of("Content-Type", contentType),
                Http.sameOrigin(uri, host.base()),
                scope(reference, "pull,push"),
                new Http.Upload(descriptor.size(), () -> opened(upload)));
        try (Response response = http.send(put, authorizer, context.deadline())) {
            if (response.status() != 201 && response.status() != 204) {
                throw failure(response, "PUT", descriptor.digest() + " of " + reference);
            }
        }
    }

    private static InputStream opened(Upload upload) {
        try {
            return upload.open();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Something done at one host. */
    @FunctionalInterface
    private interface OnHost<T> {
        T run(RegistryHost host) throws IOException, InterruptedException;
    }

    private <T> T onHosts(Reference reference, Capability capability, String what, OnHost<T> work)
            throws IOException, InterruptedException {
        Exception first = null;
        for (RegistryHost host : hosts.hostsOf(reference.host())) {
            if (!host.capabilities().contains(capability)) {
                continue;
            }
            try {
                return work.run(host.mirror() ? host : host.withHeaders(headers));
            } catch (ContainerdException | IOException e) {
                log.atDebug()
                        .addKeyValue("host", host.base().getAuthority())
                        .addKeyValue("ref", reference)
                        .addKeyValue("err", e.getMessage())
                        .log("host of a registry is passed over");
                // What is wrong with a host says more than that another does not have it.
                first = moreTelling(first, e);
            }
        }
        switch (first) {
            case null ->
                throw new NotFoundException("no host of %s is configured for %s: see its hosts.toml"
                        .formatted(reference.host(), capability));
            case ContainerdException e -> throw e;
            case IOException e -> throw e;
            default -> throw new UnavailableException(what + ": " + first.getMessage(), first);
        }
    }

    private static Exception moreTelling(@Nullable Exception first, Exception e) {
        return first == null || (first instanceof NotFoundException && !(e instanceof NotFoundException)) ? e : first;
    }

    private static URI uri(RegistryHost host, Reference reference, String path) {
        String query = host.mirror() ? "?ns=" + URLEncoder.encode(reference.host(), StandardCharsets.UTF_8) : "";
        return URI.create(host.base() + "/" + reference.repository() + "/" + path + query);
    }

    private static Request request(
            RegistryHost host, String method, URI uri, Reference reference, Map<String, String> headers) {
        return request(host, method, uri, reference, headers, "pull");
    }

    private static Request request(
            RegistryHost host,
            String method,
            URI uri,
            Reference reference,
            Map<String, String> headers,
            String actions) {
        return new Request(host, method, uri, headers, true, scope(reference, actions), null);
    }

    private static String scope(Reference reference, String actions) {
        return "repository:" + reference.repository() + ":" + actions;
    }

    /** The error that a registry's answer stands for, in its own words where it has some. */
    private static ContainerdException failure(Response response, String method, String what) throws IOException {
        String words = words(response.body().readNBytes(MAX_ERROR));
        String message = "%s %s: status %d of %s%s"
                .formatted(
                        method,
                        what,
                        response.status(),
                        Http.visible(response.uri()),
                        words.isEmpty() ? "" : " (" + words + ")");
        return switch (response.status()) {
            case 401 -> new UnauthenticatedException(message);
            case 403 -> new PermissionDeniedException(message);
            case 404 -> new NotFoundException(message);
            case 408, 429, 500, 502, 503, 504 -> new UnavailableException(message);
            default -> new InvalidArgumentException(message);
        };
    }

    /** @see <a href="https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes">errors</a> */
    private static String words(byte[] body) {
        try {
            return Json.objects(Json.object(body, "error"), "errors").stream()
                    .map(error -> Json.string(error, "code") + ": " + Json.string(error, "message"))
                    .map(text -> text.length() > 200 ? text.substring(0, 200) : text)
                    .findFirst()
                    .orElse("");
        } catch (InvalidArgumentException e) {
            return ""; // not every server answers with JSON
        }
    }

    @Override
    public void close() {
        http.close();
    }
}
