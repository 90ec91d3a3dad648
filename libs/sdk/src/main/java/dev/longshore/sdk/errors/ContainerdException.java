package dev.longshore.sdk.errors;

import org.jspecify.annotations.Nullable;

/**
 * An error of one of the closed list of classes that containerd's errdefs knows. Callers test the class, never the text.
 *
 * <p>A message says what failed, which id it was about, why, and what to do about it. It does not repeat the class: the
 * transport adds that where the wire wants it.
 */
public abstract sealed class ContainerdException extends RuntimeException
        permits InvalidArgumentException,
                NotFoundException,
                AlreadyExistsException,
                PermissionDeniedException,
                UnauthenticatedException,
                ResourceExhaustedException,
                FailedPreconditionException,
                AbortedException,
                OutOfRangeException,
                UnimplementedException,
                InternalException,
                UnavailableException,
                DataLossException,
                DeadlineExceededException,
                CanceledException,
                UnknownException {

    protected ContainerdException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
