package dev.longshore.deploy;

import com.google.protobuf.ByteString;
import com.google.protobuf.BytesValue;
import dev.longshore.sdk.json.Json;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ServerCalls;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * A key provider that is a gRPC service: it wraps keys with one that it has made up. Both messages of its protocol have one field, of
 * bytes.
 */
final class KeyService implements AutoCloseable {

    private static final String NAME = "keyprovider.KeyProviderService";
    private static final int NONCE = 12;

    private final SecureRandom random = new SecureRandom();
    private final byte[] key = new byte[16];
    private final Server server;

    KeyService() throws IOException {
        random.nextBytes(key);
        server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .addService(ServerServiceDefinition.builder(NAME)
                        .addMethod(
                                method("WrapKey"),
                                ServerCalls.<BytesValue, BytesValue>asyncUnaryCall((request, answer) -> {
                                    answer.onNext(wrap(request));
                                    answer.onCompleted();
                                }))
                        .addMethod(
                                method("UnWrapKey"),
                                ServerCalls.<BytesValue, BytesValue>asyncUnaryCall((request, answer) -> {
                                    try {
                                        answer.onNext(unwrap(request));
                                        answer.onCompleted();
                                    } catch (GeneralSecurityException e) {
                                        answer.onError(Status.PERMISSION_DENIED
                                                .withDescription("not wrapped here")
                                                .asException());
                                    }
                                }))
                        .build())
                .build()
                .start();
    }

    private static MethodDescriptor<BytesValue, BytesValue> method(String name) {
        return MethodDescriptor.<BytesValue, BytesValue>newBuilder()
                .setType(MethodType.UNARY)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(NAME, name))
                .setRequestMarshaller(ProtoUtils.marshaller(BytesValue.getDefaultInstance()))
                .setResponseMarshaller(ProtoUtils.marshaller(BytesValue.getDefaultInstance()))
                .build();
    }

    String address() {
        return "127.0.0.1:" + server.getPort();
    }

    private BytesValue wrap(BytesValue request) {
        Map<String, Object> asked = Json.object(Json.object(request.getValue().toByteArray(), "wrap"), "keywrapparams");
        byte[] nonce = new byte[NONCE];
        random.nextBytes(nonce);
        try {
            byte[] sealed = cipher(Cipher.ENCRYPT_MODE, nonce)
                    .doFinal(Base64.getDecoder().decode(Json.string(asked, "optsdata")));
            byte[] wrapped = Arrays.copyOf(nonce, NONCE + sealed.length);
            System.arraycopy(sealed, 0, wrapped, NONCE, sealed.length);
            return answer("keywrapresults", "annotation", wrapped);
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private BytesValue unwrap(BytesValue request) throws GeneralSecurityException {
        Map<String, Object> asked =
                Json.object(Json.object(request.getValue().toByteArray(), "unwrap"), "keyunwrapparams");
        byte[] wrapped = Base64.getDecoder().decode(Json.string(asked, "annotation"));
        byte[] plain = cipher(Cipher.DECRYPT_MODE, Arrays.copyOf(wrapped, NONCE))
                .doFinal(wrapped, NONCE, wrapped.length - NONCE);
        return answer("keyunwrapresults", "optsdata", plain);
    }

    private Cipher cipher(int mode, byte[] nonce) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(mode, new SecretKeySpec(key, "AES"), new GCMParameterSpec(128, nonce));
        return cipher;
    }

    private static BytesValue answer(String results, String field, byte[] value) {
        byte[] json =
                Json.bytes(Map.of(results, Map.of(field, Base64.getEncoder().encodeToString(value))));
        return BytesValue.of(ByteString.copyFrom(json));
    }

    @Override
    public void close() {
        server.shutdownNow();
    }
}
