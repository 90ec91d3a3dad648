package dev.longshore.sdk.oci;

import dev.longshore.sdk.digest.Digest;
import dev.longshore.sdk.errors.InvalidArgumentException;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The name of an image in a registry, {@code host/repository[:tag][@digest]}.
 *
 * @param host with its port, if one is named
 * @param repository path of the repository, without a slash at either end
 * @param tag empty if only a digest, or nothing, was named
 * @see <a href="https://github.com/distribution/reference">the grammar</a>
 */
public record Reference(String host, String repository, Optional<String> tag, Optional<Digest> digest) {

    /** Characters of a whole name, which also becomes a key of the metadata. */
    private static final int MAX_LENGTH = 1024;

    private static final int MAX_REPOSITORY = 255;

    private static final Pattern HOST =
            Pattern.compile("(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(?::[0-9]{1,5})?");

    private static final Pattern REPOSITORY =
            Pattern.compile("[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*");

    private static final Pattern TAG = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}");

    public Reference {
        if (!HOST.matcher(host).matches()) {
            throw new InvalidArgumentException("\"%.255s\" is no host of a registry".formatted(host));
        }
        if (repository.length() > MAX_REPOSITORY
                || !REPOSITORY.matcher(repository).matches()) {
            throw new InvalidArgumentException(
                    "\"%.255s\" is no repository: at most %d lower-case letters, digits and . _ - between slashes"
                            .formatted(repository, MAX_REPOSITORY));
        }
        if (tag.isPresent() && !TAG.matcher(tag.get()).matches()) {
            throw new InvalidArgumentException("\"%.140s\" is no tag".formatted(tag.get()));
        }
    }

    /** @throws InvalidArgumentException if it is not a full name: a host, a slash and a repository */
    public static Reference parse(String text) {
        if (text.length() > MAX_LENGTH) {
            throw new InvalidArgumentException(
                    "an image name has %d characters, the limit is %d".formatted(text.length(), MAX_LENGTH));
        }
        int at = text.indexOf('@');
        Optional<Digest> digest = at < 0 ? Optional.empty() : Optional.of(Digest.parse(text.substring(at + 1)));
        String name = at < 0 ? text : text.substring(0, at);
        int slash = name.indexOf('/');
        if (slash < 0) {
            throw new InvalidArgumentException(
                    "image name \"%.255s\" has no registry: write e.g. docker.io/library/%.255s".formatted(text, name));
        }
        int colon = name.lastIndexOf(':');
        boolean tagged = colon > name.lastIndexOf('/');
        return new Reference(
                name.substring(0, slash),
                name.substring(slash + 1, tagged ? colon : name.length()),
                tagged ? Optional.of(name.substring(colon + 1)) : Optional.empty(),
                digest);
    }

    /**
     * Reads a name as people write it: without a registry it is Docker Hub's, without a repository's owner
     * {@code library}'s, and without tag and digest {@code latest}.
     */
    public static Reference parseFamiliar(String text) {
        int slash = text.indexOf('/');
        String first = slash < 0 ? "" : text.substring(0, slash);
        boolean named = first.contains(".") || first.contains(":") || first.equals("localhost");
        String full = named ? text : "docker.io/" + (slash < 0 ? "library/" : "") + text;
        Reference reference = parse(full);
        return reference.tag.isEmpty() && reference.digest.isEmpty()
                ? new Reference(reference.host, reference.repository, Optional.of("latest"), Optional.empty())
                : reference;
    }

    /** What to ask a registry for: the digest if there is one, else the tag, else {@code latest}. */
    public String object() {
        return digest.map(Digest::toString).orElseGet(() -> tag.orElse("latest"));
    }

    @Override
    public String toString() {
        return host + "/" + repository + tag.map(t -> ":" + t).orElse("")
                + digest.map(d -> "@" + d).orElse("");
    }
}
