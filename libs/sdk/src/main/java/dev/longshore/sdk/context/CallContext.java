package dev.longshore.sdk.context;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.namespace.NamespaceId;
import java.time.Duration;
import java.util.Optional;

/**
 * What travels beside the arguments of a call. Every operation that may cross a process boundary takes one, and passes
 * it on.
 *
 * @param namespace header {@code containerd-namespace}; some calls need none
 * @param lease header {@code containerd-lease}: what the call makes is kept by this lease
 * @param deadline when the caller stops waiting
 */
public record CallContext(Optional<NamespaceId> namespace, Optional<String> lease, Deadline deadline) {

    /** For work that the daemon or a test starts by itself: a namespace, no lease, {@code timeout} from now. */
    public static CallContext of(String namespace, Duration timeout) {
        return new CallContext(Optional.of(new NamespaceId(namespace)), Optional.empty(), Deadline.after(timeout));
    }

    /** For work that belongs to no namespace. */
    public static CallContext withoutNamespace(Duration timeout) {
        return new CallContext(Optional.empty(), Optional.empty(), Deadline.after(timeout));
    }

    /** @throws FailedPreconditionException if the caller named none */
    public NamespaceId requireNamespace() {
        return namespace.orElseThrow(
                () -> new FailedPreconditionException("namespace is required: send the header containerd-namespace"));
    }

    /** The same call with the lease {@code lease}. */
    public CallContext withLease(String lease) {
        return new CallContext(namespace, Optional.of(lease), deadline);
    }

    /** The same call in {@code namespace}. */
    public CallContext withNamespace(NamespaceId namespace) {
        return new CallContext(Optional.of(namespace), lease, deadline);
    }

    /** The same call, ended after {@code timeout} from now at the latest. */
    public CallContext within(Duration timeout) {
        return new CallContext(namespace, lease, deadline.earlier(Deadline.after(timeout)));
    }
}
