package dev.longshore.stream.ctd;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * What a client sends along with an encrypted layer, as imgcrypt has defined it.
 *
 * @param parameters keys, by their kind
 * @param annotations of the layer's descriptor
 */
record Payload(Map<String, Object> parameters, Map<String, String> annotations) {

    static final String TYPE = "io.containerd.ocicrypt.v1.Payload";
    private static final int MAX_BYTES = 4 << 20;

    /** @throws InvalidArgumentException if there is none on descriptor 3, or it is none */
    static Payload read() throws IOException {
        try (InputStream in = new FileInputStream("/proc/self/fd/3")) {
            byte[] bytes = in.readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw new InvalidArgumentException("the payload has more than %d bytes".formatted(MAX_BYTES));
            }
            if (bytes.length == 0) {
                throw new InvalidArgumentException(
                        "no payload on descriptor 3: the client has sent none, and with it not the layer's wrapped key");
            }
            return parse(bytes);
        }
    }

    /** @param any of {@code google.protobuf.Any} */
    static Payload parse(byte[] any) {
        byte[][] fields = {new byte[0], new byte[0], new byte[0]};
        for (int position = 0; position < any.length; ) {
            int tag = any[position++];
            long length = 0;
            for (int shift = 0; ; shift += 7) {
                if (position >= any.length || shift > 28) {
                    throw new InvalidArgumentException("the payload is damaged");
                }
                int part = any[position++];
                length |= (part & 0x7fL) << shift;
                if (part >= 0) {
                    break;
                }
            }
            int field = tag >> 3;
            if ((tag & 7) != 2 || field < 1 || field > 2 || length > any.length - position) {
                throw new InvalidArgumentException("the payload is damaged");
            }
            fields[field] = Arrays.copyOfRange(any, position, position + (int) length);
            position += (int) length;
        }
        String type = new String(fields[1], StandardCharsets.UTF_8);
        if (!type.equals(TYPE)) {
            throw new InvalidArgumentException("the payload is of type \"%s\", and not %s".formatted(type, TYPE));
        }
        Map<String, Object> payload = Json.object(fields[2], "the payload");
        Map<String, Object> stated = Json.object(Json.object(payload, "Descriptor"), "annotations");
        Map<String, String> annotations = new HashMap<>();
        stated.forEach((key, _) -> annotations.put(key, Json.string(stated, key)));
        return new Payload(Json.object(Json.object(payload, "DecryptConfig"), "Parameters"), annotations);
    }
}
