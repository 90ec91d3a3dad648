package dev.longshore.ipfs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvFileSource;

/**
 * A file has the CID here that it has in Kubo: an empty one, one chunk that is not full and one that is, two chunks, several, as many as
 * one node has links, one more (two levels of links), and 4096.
 */
class KuboCidsTest {

    @ParameterizedTest(name = "{1} bytes, {0}")
    @CsvFileSource(resources = "kubo-cids.csv")
    void fileHasTheCidThatKuboGivesIt(String rule, long bytes, String cid) throws IOException {
        try (InputStream file = new Made(rule.equals("zeros"), bytes)) {
            assertThat(FileImporter.cid(file).toString()).isEqualTo(cid);
        }
    }

    /** The file of a rule. */
    private static final class Made extends InputStream {

        private final boolean zeros;
        private final long size;
        private long position;

        Made(boolean zeros, long size) {
            this.zeros = zeros;
            this.size = size;
        }

        @Override
        public int read() {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) {
            if (position == size) {
                return -1;
            }
            int count = (int) Math.min(length, size - position);
            if (zeros) {
                Arrays.fill(bytes, offset, offset + count, (byte) 0);
            } else {
                for (int i = 0; i < count; i++) {
                    long at = position + i;
                    bytes[offset + i] = (byte) (31 * at + 7 * (at >> 8) + 13 * (at >> 18));
                }
            }
            position += count;
            return count;
        }
    }
}
