package dev.longshore.stargz.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.stargz.fuse.Request.Kind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

final class RequestTest {

    /** A request with a body of numbers as the kernel sends it. */
    private static ByteBuffer request(int opcode, byte[] body) {
        return ByteBuffer.allocate(Protocol.IN_HEADER + body.length)
                .order(ByteOrder.nativeOrder())
                .putInt(0, Protocol.IN_HEADER + body.length)
                .putInt(4, opcode)
                .putLong(8, 1L << 63 | 77)
                .putLong(16, 5)
                .putInt(32, 4711)
                .put(Protocol.IN_HEADER, body);
    }

    private static byte[] ints(int... numbers) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.nativeOrder());
        Arrays.stream(numbers).forEach(bytes::putInt);
        return bytes.array();
    }

    private static Request parse(int opcode, byte[] body) {
        ByteBuffer bytes = request(opcode, body);
        return Request.parse(bytes, bytes.capacity()).orElseThrow();
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void theHeaderIsKeptAsItIs() {
        Request request = parse(Protocol.STATFS, new byte[0]);
        assertThat(request.header()).isEqualTo(new Request.Header(Protocol.STATFS, 1L << 63 | 77, 5, 4711));
    }

    @Test
    void aLookupHasAName() {
        assertThat(((Request.Lookup) parse(Protocol.LOOKUP, text("näme\0"))).name())
                .isEqualTo(text("näme"));
        assertMalformed(Protocol.LOOKUP, text("name"));
        assertMalformed(Protocol.LOOKUP, text("\0"));
        assertMalformed(Protocol.LOOKUP, new byte[0]);
    }

    @Test
    void aReadHasAnOffsetAndASize() {
        byte[] body = ints(0, 0, 7, 1, 4096, 0, 0, 0, 0, 0);
        Request.Read read = (Request.Read) parse(Protocol.READ, body);
        assertThat(read.offset()).isEqualTo(1L << 32 | 7);
        assertThat(read.size()).isEqualTo(4096);
        assertMalformed(Protocol.READ, Arrays.copyOf(body, 39));
        assertMalformed(Protocol.READ, ints(0, 0, 0, -1, 4096, 0, 0, 0, 0, 0));
        assertMalformed(Protocol.READ, ints(0, 0, 0, 0, -1, 0, 0, 0, 0, 0));
        Request.ReadFolder folder = (Request.ReadFolder) parse(Protocol.READDIRPLUS, body);
        assertThat(folder.attributes()).isTrue();
        assertThat(((Request.ReadFolder) parse(Protocol.READDIR, body)).attributes())
                .isFalse();
        assertMalformed(Protocol.READDIR, Arrays.copyOf(body, 39));
    }

    @Test
    void anExtendedAttributeIsAskedForWithANameAndRoom() {
        byte[] body = Arrays.copyOf(ints(100, 0), 15);
        System.arraycopy(text("user.a"), 0, body, 8, 6);
        Request.GetXattr xattr = (Request.GetXattr) parse(Protocol.GETXATTR, body);
        assertThat(xattr.name()).isEqualTo(text("user.a"));
        assertThat(xattr.size()).isEqualTo(100);
        assertMalformed(Protocol.GETXATTR, Arrays.copyOf(body, 14));
        assertMalformed(Protocol.GETXATTR, Arrays.copyOf(body, 8));
        assertMalformed(Protocol.GETXATTR, Arrays.copyOf(body, 3));
        assertMalformed(Protocol.LISTXATTR, new byte[7]);
        assertMalformed(Protocol.LISTXATTR, ints(-1, 0));
        assertThat(((Request.ListXattr) parse(Protocol.LISTXATTR, ints(9, 0))).size())
                .isEqualTo(9);
    }

    @Test
    void furtherFlagsAreReadWhereTheyAreAnnounced() {
        int[] body = new int[16];
        body[0] = 7;
        body[1] = 45;
        body[2] = 131072;
        body[3] = (int) Protocol.INIT_EXT | 1;
        body[4] = 1 << 7;
        Request.Init init = (Request.Init) parse(Protocol.INIT, ints(body));
        assertThat(init.major()).isEqualTo(7);
        assertThat(init.minor()).isEqualTo(45);
        assertThat(init.maxReadahead()).isEqualTo(131072);
        assertThat(init.flags()).isEqualTo(Protocol.HAS_RESEND | Protocol.INIT_EXT | 1);
        body[3] = 1;
        assertThat(((Request.Init) parse(Protocol.INIT, ints(body))).flags()).isEqualTo(1);
        assertThat(((Request.Init) parse(Protocol.INIT, ints(7, 31, 0, (int) Protocol.INIT_EXT))).flags())
                .isEqualTo(Protocol.INIT_EXT);
        assertMalformed(Protocol.INIT, ints(7, 31, 0));
    }

    @Test
    void whatChangesAndWhatIsUnknownIsToldApart() {
        assertThat(((Request.Plain) parse(Protocol.SETATTR, new byte[88])).kind())
                .isEqualTo(Kind.CHANGE);
        assertThat(((Request.Plain) parse(Protocol.WRITE, new byte[3])).kind()).isEqualTo(Kind.CHANGE);
        assertThat(((Request.Plain) parse(9999, new byte[0])).kind()).isEqualTo(Kind.UNKNOWN);
        assertThat(((Request.Plain) parse(0, new byte[0])).kind()).isEqualTo(Kind.UNKNOWN);
        assertThat(((Request.Plain) parse(Protocol.BATCH_FORGET, new byte[8])).kind())
                .isEqualTo(Kind.FORGET);
    }

    @Test
    void anInterruptNamesARequest() {
        assertThat(((Request.Interrupt) parse(Protocol.INTERRUPT, ints(7, 1))).interrupted())
                .isEqualTo(1L << 32 | 7);
        assertThat(((Request.Plain) parse(Protocol.INTERRUPT, ints(7))).kind()).isEqualTo(Kind.FORGET);
    }

    @Test
    void withoutAHeaderThereIsNothingToAnswer() {
        ByteBuffer bytes = request(Protocol.STATFS, new byte[8]);
        assertThat(Request.parse(bytes, 39)).isEmpty();
        assertThat(Request.parse(bytes, 40)).isEmpty(); // shorter than it says
        assertThat(Request.parse(bytes, 0)).isEmpty();
        assertThat(Request.parse(bytes, 48)).isPresent();
    }

    private static void assertMalformed(int opcode, byte[] body) {
        assertThat(parse(opcode, body))
                .isInstanceOfSatisfying(
                        Request.Plain.class, plain -> assertThat(plain.kind()).isEqualTo(Kind.MALFORMED));
    }
}
