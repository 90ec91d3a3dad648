package dev.longshore.transport.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import io.grpc.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class StatusMapperTest {

    /** The texts are those of containerd's errdefs, which Go's clients cut off. */
    @ParameterizedTest
    @CsvSource({
        "INVALID_ARGUMENT, invalid argument",
        "NOT_FOUND, not found",
        "ALREADY_EXISTS, already exists",
        "PERMISSION_DENIED, permission denied",
        "UNAUTHENTICATED, unauthenticated",
        "RESOURCE_EXHAUSTED, resource exhausted",
        "FAILED_PRECONDITION, failed precondition",
        "ABORTED, aborted",
        "OUT_OF_RANGE, out of range",
        "UNIMPLEMENTED, not implemented",
        "INTERNAL, internal",
        "UNAVAILABLE, unavailable",
        "DATA_LOSS, data loss",
        "DEADLINE_EXCEEDED, context deadline exceeded",
        "CANCELLED, context canceled",
        "UNKNOWN, unknown"
    })
    void everyClassGoesOutWithItsNameAndComesBackWithoutIt(Status.Code code, String text) {
        Status received = Status.fromCode(code).withDescription("snapshot \"a\": " + text);
        ContainerdException error = StatusMapper.fromStatus(received, new IllegalStateException("wire"));
        assertThat(error).hasMessage("snapshot \"a\"");

        Status sent = StatusMapper.toStatus(error);
        assertThat(sent.getCode()).isEqualTo(code);
        assertThat(sent.getDescription()).isEqualTo("snapshot \"a\": " + text);
    }

    @ParameterizedTest
    @EnumSource(Status.Code.class)
    void everyCodeOfAForeignServerHasAClassAndKeepsItsMessage(Status.Code code) {
        ContainerdException error = StatusMapper.fromStatus(
                Status.fromCode(code).withDescription("as is"), new IllegalStateException("wire"));
        assertThat(error).hasMessage("as is");
    }

    @Test
    void anAnswerWithoutMessageIsNamedByItsClass() {
        assertThat(StatusMapper.fromStatus(Status.NOT_FOUND, new IllegalStateException("wire")))
                .isInstanceOf(NotFoundException.class)
                .hasMessage("not found");
    }

    @Test
    void aFullDiskIsResourceExhausted() {
        IOException full = new FileSystemException("/x", null, "No space left on device");
        assertThat(StatusMapper.toStatus(full).getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        assertThat(StatusMapper.toStatus(new UncheckedIOException(full)).getCode())
                .isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    }

    @Test
    void anErrorOfNoClassIsUnknown() {
        Status status = StatusMapper.toStatus(new IllegalStateException("broken"));
        assertThat(status.getCode()).isEqualTo(Status.Code.UNKNOWN);
        assertThat(status.getDescription()).contains("broken").endsWith(": unknown");
    }

    @Test
    void aLongMessageIsCutBeforeTheNameOfItsClass() {
        Status status = StatusMapper.toStatus(new ResourceExhaustedException("x".repeat(100_000)));
        assertThat(status.getDescription()).hasSizeLessThan(5000).endsWith(": resource exhausted");
    }
}
