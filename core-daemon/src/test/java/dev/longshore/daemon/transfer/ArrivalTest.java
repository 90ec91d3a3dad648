package dev.longshore.daemon.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.longshore.sdk.content.ContentReader;
import dev.longshore.sdk.errors.DataLossException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** A blob that is read while it comes. */
class ArrivalTest {

    private static final int SIZE = 100;
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private final Arrival arrival = new Arrival(SIZE);
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Has bytes of which each is its own offset, as many as are asked for. */
    private final ContentReader written = new ContentReader() {
        @Override
        public long size() {
            throw new AssertionError("it grows");
        }

        @Override
        public int read(ByteBuffer buffer, long offset) {
            int count = buffer.remaining();
            for (int i = 0; i < count; i++) {
                buffer.put((byte) (offset + i));
            }
            return count;
        }

        @Override
        public void close() {
            closed.set(true);
        }
    };

    private ContentReader taken() {
        arrival.begins(written);
        return arrival.take().orElseThrow();
    }

    @Test
    void noMoreIsReadThanHasCome() {
        ContentReader reader = taken();
        arrival.advance(10);
        ByteBuffer buffer = ByteBuffer.allocate(SIZE);
        assertThat(reader.size()).isEqualTo(SIZE);
        assertThat(reader.read(buffer, 4)).isEqualTo(6);
        assertThat(buffer.position()).isEqualTo(6);
        assertThat(buffer.get(0)).isEqualTo((byte) 4);
        assertThat(buffer.limit()).isEqualTo(SIZE);
    }

    @Test
    void aReadWaitsForItsFirstByte() {
        ContentReader reader = taken();
        arrival.advance(10);
        assertTimeoutPreemptively(PATIENCE, () -> {
            try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
                Future<Integer> count = threads.submit(() -> reader.read(ByteBuffer.allocate(SIZE), 10));
                arrival.advance(5);
                assertThat(count.get()).isEqualTo(5);
            }
        });
    }

    @Test
    void allOfItIsReadWhenItIsThereAndThenItsEnd() {
        ContentReader reader = taken();
        arrival.advance(SIZE);
        arrival.ended(Optional.empty());
        assertThat(reader.read(ByteBuffer.allocate(2 * SIZE), 0)).isEqualTo(SIZE);
        assertThat(reader.read(ByteBuffer.allocate(1), SIZE)).isNegative();
        assertThat(closed).isFalse();
        reader.close();
        assertThat(closed).isTrue();
    }

    @Test
    void aFetchThatFailsFailsItsReaderAlsoForWhatHasCome() {
        ContentReader reader = taken();
        arrival.advance(10);
        arrival.ended(Optional.of(new DataLossException("other bytes came")));
        assertThatThrownBy(() -> reader.read(ByteBuffer.allocate(1), 0)).isInstanceOf(DataLossException.class);
    }

    @Test
    void onlyOneReadsItAsItComes() {
        arrival.begins(written);
        assertThat(arrival.take()).isPresent();
        assertThat(arrival.take()).isEmpty();
    }

    @Test
    void whatNobodyHasTakenIsClosedAtItsEnd() throws InterruptedException {
        arrival.begins(written);
        arrival.ended(Optional.empty());
        assertThat(closed).isTrue();
        arrival.await();
        assertThat(arrival.take()).isEmpty();
    }
}
