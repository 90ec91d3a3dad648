package dev.longshore.ocicrypt;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.UnavailableException;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;

/**
 * One unary call of gRPC without TLS, with nothing but a socket: a program that lives for a tenth of a second cannot afford to load a
 * whole stack for it. What an answer's headers say is not looked into: without a message there is no answer.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9113">HTTP/2</a>
 */
public final class GrpcKeyProvider implements KeyProviders.Remote {

    private static final Duration CONNECT = Duration.ofSeconds(10);
    private static final Duration ANSWER = Duration.ofSeconds(60);
    private static final String SERVICE = "/keyprovider.KeyProviderService/";
    private static final byte[] PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

    /** Bytes that a server lets anybody send before it has said otherwise. */
    private static final int WINDOW = 65_535;

    private static final int MAX_FRAME = 16 << 10;
    private static final int MAX_ANSWER = 1 << 20;
    private static final int STREAM = 1;

    private static final int DATA = 0;
    private static final int HEADERS = 1;
    private static final int RST_STREAM = 3;
    private static final int SETTINGS = 4;
    private static final int PING = 6;
    private static final int GOAWAY = 7;
    private static final int WINDOW_UPDATE = 8;
    private static final int END_STREAM = 1;
    private static final int ACK = 1;
    private static final int END_HEADERS = 4;
    private static final int PADDED = 8;

    @Override
    public byte[] ask(String address, boolean wrap, byte[] request) {
        int colon = address.lastIndexOf(':');
        if (colon < 1) {
            throw new InvalidArgumentException("the address of a key provider must be host:port, not " + address);
        }
        byte[] message = message(request);
        if (message.length > WINDOW) {
            throw new InvalidArgumentException(
                    "a request of %d bytes for a key provider, the limit is %d".formatted(message.length, WINDOW));
        }
        try (Socket socket = new Socket()) {
            socket.connect(
                    new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))),
                    (int) CONNECT.toMillis());
            socket.setSoTimeout((int) ANSWER.toMillis());
            DataOutputStream out = new DataOutputStream(new BufferedOutputStream(socket.getOutputStream(), MAX_FRAME));
            send(out, address, SERVICE + (wrap ? "WrapKey" : "UnWrapKey"), message);
            return unwrapped(answer(new DataInputStream(socket.getInputStream()), out, address), address);
        } catch (NumberFormatException e) {
            throw new InvalidArgumentException("the address of a key provider must be host:port, not " + address, e);
        } catch (EOFException e) {
            throw new UnavailableException("key provider %s has closed the connection".formatted(address), e);
        } catch (IOException e) {
            throw new UnavailableException(
                    "key provider %s cannot be reached: %s".formatted(address, e.getMessage()), e);
        }
    }

    /** Length-prefixed, of one field of bytes. */
    private static byte[] message(byte[] value) {
        ByteArrayOutputStream field = new ByteArrayOutputStream();
        field.write(0x0a);
        int rest = value.length;
        for (; rest > 0x7f; rest >>>= 7) {
            field.write((rest & 0x7f) | 0x80);
        }
        field.write(rest);
        field.writeBytes(value);
        ByteArrayOutputStream message = new ByteArrayOutputStream();
        message.write(0);
        message.writeBytes(new byte[] {
            (byte) (field.size() >> 24), (byte) (field.size() >> 16), (byte) (field.size() >> 8), (byte) field.size()
        });
        message.writeBytes(field.toByteArray());
        return message.toByteArray();
    }

    private static void send(DataOutputStream out, String address, String method, byte[] message) throws IOException {
        out.write(PREFACE);
        // Our window, of the stream and of the connection, so that an answer never waits for more.
        frame(out, SETTINGS, 0, 0, new byte[] {0, 4, 0, MAX_ANSWER >> 16, 0, 0});
        frame(out, WINDOW_UPDATE, 0, 0, new byte[] {0, MAX_ANSWER >> 16, 0, 0});
        ByteArrayOutputStream headers = new ByteArrayOutputStream();
        header(headers, ":method", "POST");
        header(headers, ":scheme", "http");
        header(headers, ":path", method);
        header(headers, ":authority", address);
        header(headers, "content-type", "application/grpc");
        header(headers, "te", "trailers");
        frame(out, HEADERS, END_HEADERS, STREAM, headers.toByteArray());
        for (int sent = 0; sent < message.length; sent += MAX_FRAME) {
            int end = Math.min(message.length, sent + MAX_FRAME);
            frame(out, DATA, end == message.length ? END_STREAM : 0, STREAM, Arrays.copyOfRange(message, sent, end));
        }
        out.flush();
    }

    /** A literal that is kept in no table, in plain text. */
    private static void header(ByteArrayOutputStream headers, String name, String value) {
        headers.write(0);
        for (String text : new String[] {name, value}) {
            byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
            int rest = bytes.length;
            headers.write(Math.min(rest, 127));
            if (rest >= 127) {
                for (rest -= 127; rest > 0x7f; rest >>>= 7) {
                    headers.write((rest & 0x7f) | 0x80);
                }
                headers.write(rest);
            }
            headers.writeBytes(bytes);
        }
    }

    private static void frame(DataOutputStream out, int type, int flags, int stream, byte[] payload)
            throws IOException {
        out.writeByte(payload.length >> 16);
        out.writeShort(payload.length);
        out.writeByte(type);
        out.writeByte(flags);
        out.writeInt(stream);
        out.write(payload);
    }

    private static byte[] answer(DataInputStream in, DataOutputStream out, String address) throws IOException {
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        long deadline = System.nanoTime() + ANSWER.toNanos();
        while (System.nanoTime() - deadline < 0) {
            int length = (in.readUnsignedByte() << 16) | in.readUnsignedShort();
            int type = in.readUnsignedByte();
            int flags = in.readUnsignedByte();
            int stream = in.readInt() & Integer.MAX_VALUE;
            if (length > MAX_FRAME) {
                throw new InvalidArgumentException(
                        "key provider %s sends a frame of %d bytes".formatted(address, length));
            }
            byte[] payload = in.readNBytes(length);
            if (payload.length < length) {
                throw new EOFException("in a frame");
            }
            switch (type) {
                case SETTINGS, PING -> {
                    if ((flags & ACK) == 0) {
                        frame(out, type, ACK, 0, type == PING ? payload : new byte[0]);
                        out.flush();
                    }
                }
                case DATA -> {
                    int padding = (flags & PADDED) != 0 && length > 0 ? payload[0] & 0xff : 0;
                    int start = (flags & PADDED) != 0 ? 1 : 0;
                    if (start + padding > length || data.size() + length > MAX_ANSWER) {
                        throw new InvalidArgumentException("key provider %s answers too much".formatted(address));
                    }
                    data.write(payload, start, length - start - padding);
                }
                case RST_STREAM, GOAWAY -> {
                    if (type == RST_STREAM || data.size() == 0) {
                        throw new UnavailableException("key provider %s has refused the call".formatted(address));
                    }
                }
                default -> {
                    // Of no interest here.
                }
            }
            if (stream == STREAM && (type == DATA || type == HEADERS) && (flags & END_STREAM) != 0) {
                return data.toByteArray();
            }
        }
        throw new UnavailableException("key provider %s did not answer in time".formatted(address));
    }

    private static byte[] unwrapped(byte[] data, String address) {
        if (data.length < 5) {
            throw new FailedPreconditionException(
                    "key provider %s has refused: its own log says why".formatted(address));
        }
        if (data[0] != 0) {
            throw new InvalidArgumentException("key provider %s has compressed its answer".formatted(address));
        }
        int position = 5;
        if (position >= data.length || data[position++] != 0x0a) {
            throw new InvalidArgumentException("key provider %s has answered with something else".formatted(address));
        }
        int length = 0;
        for (int shift = 0; position < data.length; shift += 7) {
            int part = data[position++];
            length |= (part & 0x7f) << shift;
            if (part >= 0 || shift > 21) {
                break;
            }
        }
        if (length < 0 || length > data.length - position) {
            throw new InvalidArgumentException("key provider %s has answered with something else".formatted(address));
        }
        return Arrays.copyOfRange(data, position, position + length);
    }
}
