package dev.longshore.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.EnumDescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.DescriptorProtos.MethodDescriptorProto;
import com.google.protobuf.DescriptorProtos.ServiceDescriptorProto;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Our {@code .proto} files against the list of what the originals put on the wire. */
class WireTest {

    private final SortedSet<String> ours = new TreeSet<>();

    @Test
    void everyMessageFieldEnumValueAndRpcIsTheOriginals() throws IOException {
        FileDescriptorSet files = FileDescriptorSet.parseFrom(Files.readAllBytes(Path.of("target/api.binpb")));
        files.getFileList().stream()
                .filter(file -> !file.getPackage().startsWith("google."))
                // What is ours alone has no originals.
                .filter(file -> !file.getPackage().startsWith("dev.longshore."))
                .forEach(file -> {
                    file.getMessageTypeList().forEach(message -> add(file.getPackage(), message));
                    file.getEnumTypeList().forEach(type -> add(file.getPackage(), type));
                    file.getServiceList().forEach(service -> add(file.getPackage(), service));
                });

        assertThat(ours).containsExactlyElementsOf(golden());
    }

    private static SortedSet<String> golden() {
        try (var in = WireTest.class.getResourceAsStream("/containerd-wire.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .collect(Collectors.toCollection(TreeSet::new));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void add(String scope, DescriptorProto message) {
        String name = scope + "." + message.getName();
        ours.add("message " + name);
        message.getFieldList()
                .forEach(field -> ours.add("field " + name + "." + field.getName() + " "
                        + field.getNumber() + " "
                        + (field.getLabel() == FieldDescriptorProto.Label.LABEL_REPEATED ? "repeated " : "")
                        + field.getType().name().substring("TYPE_".length()).toLowerCase(Locale.ROOT)
                        + (field.getTypeName().isEmpty()
                                ? ""
                                : " " + field.getTypeName().substring(1))));
        message.getNestedTypeList().forEach(nested -> add(name, nested));
        message.getEnumTypeList().forEach(type -> add(name, type));
    }

    private void add(String scope, EnumDescriptorProto type) {
        type.getValueList()
                .forEach(value -> ours.add(
                        "enum %s.%s %s %d".formatted(scope, type.getName(), value.getName(), value.getNumber())));
    }

    private void add(String scope, ServiceDescriptorProto service) {
        service.getMethodList()
                .forEach(rpc ->
                        ours.add("rpc %s.%s.%s %s".formatted(scope, service.getName(), rpc.getName(), signature(rpc))));
    }

    private static String signature(MethodDescriptorProto rpc) {
        return (rpc.getClientStreaming() ? "stream " : "")
                + rpc.getInputType().substring(1)
                + " "
                + (rpc.getServerStreaming() ? "stream " : "")
                + rpc.getOutputType().substring(1);
    }
}
