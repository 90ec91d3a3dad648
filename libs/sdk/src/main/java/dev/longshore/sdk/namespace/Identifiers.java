package dev.longshore.sdk.namespace;

import dev.longshore.sdk.errors.InvalidArgumentException;

/**
 * The rule for names of namespaces, containers, leases and tasks: 1 to 76 characters, runs of ASCII letters and digits
 * with single {@code . _ -} between them.
 *
 * @see <a href="https://github.com/containerd/containerd/blob/main/pkg/identifiers/validate.go">identifiers</a>
 */
public final class Identifiers {

    /** Characters. */
    public static final int MAX_LENGTH = 76;

    private Identifiers() {}

    /**
     * Returns {@code id} if it is an identifier.
     *
     * @param what the kind of thing it names, for the message
     * @throws InvalidArgumentException if it is none
     */
    public static String check(String what, String id) {
        if (id.isEmpty()) {
            throw new InvalidArgumentException(what + " name is empty");
        }
        if (id.length() > MAX_LENGTH) {
            throw new InvalidArgumentException(
                    "%s name %.20s... has %d characters, the limit is %d".formatted(what, id, id.length(), MAX_LENGTH));
        }
        boolean previousAlphanumeric = false;
        for (int i = 0; i < id.length(); i++) {
            char c = id.charAt(i);
            boolean alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            boolean separator = c == '.' || c == '_' || c == '-';
            boolean last = i == id.length() - 1;
            if (!alphanumeric && (!separator || !previousAlphanumeric || last)) {
                throw new InvalidArgumentException(
                        "%s name \"%s\" must be letters and digits with single '.', '_' or '-' between them"
                                .formatted(what, id));
            }
            previousAlphanumeric = alphanumeric;
        }
        return id;
    }
}
