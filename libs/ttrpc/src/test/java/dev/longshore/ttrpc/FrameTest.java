package dev.longshore.ttrpc;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class FrameTest {

    @Test
    void theHeaderIsTenBytesBigEndian() {
        ByteBuffer header = ByteBuffer.allocate(Frame.HEADER_SIZE);
        new Frame(0x010203, 5, Frame.RESPONSE, (byte) 0).write(header);
        assertThat(header.array()).containsExactly(0, 1, 2, 3, 0, 0, 0, 5, 2, 0);
    }

    @Property
    void whatIsWrittenIsReadBack(@ForAll int length, @ForAll int stream, @ForAll byte type, @ForAll byte flags) {
        ByteBuffer header = ByteBuffer.allocate(Frame.HEADER_SIZE);
        Frame frame = new Frame(length, stream, type, flags);
        frame.write(header);
        assertThat(Frame.read(header.flip())).isEqualTo(frame);
    }

    @Test
    void fourMebibytesFitAndAnyMoreDoNot() {
        assertThat(new Frame(4 << 20, 1, Frame.REQUEST, (byte) 0).tooLong()).isFalse();
        assertThat(new Frame((4 << 20) + 1, 1, Frame.REQUEST, (byte) 0).tooLong())
                .isTrue();
        Frame unsigned = new Frame(-1, 1, Frame.REQUEST, (byte) 0);
        assertThat(unsigned.tooLong()).isTrue();
        assertThat(unsigned.unsignedLength()).isEqualTo(4294967295L);
    }
}
