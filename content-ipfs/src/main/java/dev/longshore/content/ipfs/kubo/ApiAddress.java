package dev.longshore.content.ipfs.kubo;

import dev.longshore.sdk.errors.InvalidArgumentException;
import java.net.URI;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a node's API is, as a multiaddress: {@code /ip4/127.0.0.1/tcp/5001}, which is what the node writes to the file {@code api} of
 * its repository.
 *
 * @see <a href="https://github.com/multiformats/multiaddr">multiaddr</a>
 */
public record ApiAddress(String text, URI uri) {

    private static final Pattern FORM =
            Pattern.compile("/(ip4|ip6|dns|dns4|dns6)/([0-9A-Za-z.:-]{1,253})/tcp/([0-9]{1,5})(/http|/https)?/?");

    /** @throws InvalidArgumentException if it is of another form, or of a transport that is not TCP */
    public static ApiAddress parse(String text) {
        Matcher parts = FORM.matcher(text);
        if (!parts.matches()) {
            throw new InvalidArgumentException(
                    "\"%.140s\" is no address of an IPFS node's API: write /ip4/127.0.0.1/tcp/5001, or what is in the file api of the"
                                    .formatted(text)
                            + " node's repository");
        }
        int port = Integer.parseInt(parts.group(3));
        String host = parts.group(2);
        boolean colons = host.contains(":");
        if (port == 0 || port > 65535 || colons != parts.group(1).equals("ip6")) {
            throw new InvalidArgumentException(
                    "\"%.140s\" is no address of an IPFS node's API: %s".formatted(text, "its host or port cannot be"));
        }
        String scheme = "/https".equals(parts.group(4)) ? "https" : "http";
        return new ApiAddress(text, URI.create("%s://%s:%d".formatted(scheme, colons ? "[" + host + "]" : host, port)));
    }

    @Override
    public String toString() {
        return text;
    }
}
