package dev.longshore.daemon.service;

import com.google.protobuf.Any;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import dev.longshore.api.events.ContainerCreate;
import dev.longshore.api.events.ContainerDelete;
import dev.longshore.api.events.ContainerUpdate;
import dev.longshore.api.events.ContentCreate;
import dev.longshore.api.events.ContentDelete;
import dev.longshore.api.events.ImageCreate;
import dev.longshore.api.events.ImageDelete;
import dev.longshore.api.events.ImageUpdate;
import dev.longshore.api.events.NamespaceCreate;
import dev.longshore.api.events.NamespaceDelete;
import dev.longshore.api.events.NamespaceUpdate;
import dev.longshore.api.events.SandboxCreate;
import dev.longshore.api.events.SandboxExit;
import dev.longshore.api.events.SandboxStart;
import dev.longshore.api.events.SnapshotCommit;
import dev.longshore.api.events.SnapshotPrepare;
import dev.longshore.api.events.SnapshotRemove;
import dev.longshore.api.events.TaskCheckpointed;
import dev.longshore.api.events.TaskCreate;
import dev.longshore.api.events.TaskDelete;
import dev.longshore.api.events.TaskExecAdded;
import dev.longshore.api.events.TaskExecStarted;
import dev.longshore.api.events.TaskExit;
import dev.longshore.api.events.TaskIO;
import dev.longshore.api.events.TaskOOM;
import dev.longshore.api.events.TaskPaused;
import dev.longshore.api.events.TaskResumed;
import dev.longshore.api.events.TaskStart;
import dev.longshore.api.longshore.events.v1.PluginState;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.event.Envelope;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.transport.serve.Protos;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Events on the wire and off it, and what filters see of them: topic, namespace, and the event's own fields. */
public final class EventProtos {

    private static final Map<String, Message> TYPES = Stream.<Message>of(
                    ContainerCreate.getDefaultInstance(),
                    ContainerDelete.getDefaultInstance(),
                    ContainerUpdate.getDefaultInstance(),
                    ContentCreate.getDefaultInstance(),
                    ContentDelete.getDefaultInstance(),
                    ImageCreate.getDefaultInstance(),
                    ImageDelete.getDefaultInstance(),
                    ImageUpdate.getDefaultInstance(),
                    NamespaceCreate.getDefaultInstance(),
                    NamespaceDelete.getDefaultInstance(),
                    NamespaceUpdate.getDefaultInstance(),
                    PluginState.getDefaultInstance(),
                    SandboxCreate.getDefaultInstance(),
                    SandboxExit.getDefaultInstance(),
                    SandboxStart.getDefaultInstance(),
                    SnapshotCommit.getDefaultInstance(),
                    SnapshotPrepare.getDefaultInstance(),
                    SnapshotRemove.getDefaultInstance(),
                    TaskCheckpointed.getDefaultInstance(),
                    TaskCreate.getDefaultInstance(),
                    TaskDelete.getDefaultInstance(),
                    TaskExecAdded.getDefaultInstance(),
                    TaskExecStarted.getDefaultInstance(),
                    TaskExit.getDefaultInstance(),
                    TaskIO.getDefaultInstance(),
                    TaskOOM.getDefaultInstance(),
                    TaskPaused.getDefaultInstance(),
                    TaskResumed.getDefaultInstance(),
                    TaskStart.getDefaultInstance())
            .collect(Collectors.toUnmodifiableMap(
                    message -> message.getDescriptorForType().getFullName(), Function.identity()));

    private EventProtos() {}

    static dev.longshore.api.types.Envelope proto(Envelope envelope) {
        return dev.longshore.api.types.Envelope.newBuilder()
                .setTimestamp(Protos.timestamp(envelope.timestamp()))
                .setNamespace(envelope.namespace().value())
                .setTopic(envelope.topic())
                .setEvent(Types.any(envelope.event()))
                .build();
    }

    /** @throws InvalidArgumentException if it does not say when the event happened */
    static Envelope record(dev.longshore.api.types.Envelope envelope) {
        if (!envelope.hasTimestamp()) {
            throw new InvalidArgumentException(
                    "a forwarded event must have a timestamp: this one of topic \"%.128s\" has none"
                            .formatted(envelope.getTopic()));
        }
        return new Envelope(
                Protos.instant(envelope.getTimestamp()),
                new NamespaceId(envelope.getNamespace()),
                envelope.getTopic(),
                Types.typed(envelope.getEvent()));
    }

    /** What filters see of an event. An event of a type that is not ours has no fields of its own. */
    public static Fields fields(Envelope envelope) {
        return path -> switch (path.getFirst()) {
            case "topic" -> Optional.of(envelope.topic());
            case "namespace" -> Optional.of(envelope.namespace().value());
            case "event" -> field(envelope, path.subList(1, path.size()));
            default -> Optional.empty();
        };
    }

    private static Optional<String> field(Envelope envelope, List<String> path) {
        Message type = TYPES.get(envelope.event().typeName());
        if (type == null || path.isEmpty()) {
            return Optional.empty();
        }
        try {
            return field(type.getParserForType().parseFrom(envelope.event().value()), path);
        } catch (InvalidProtocolBufferException e) {
            return Optional.empty(); // a damaged event has no fields either
        }
    }

    private static Optional<String> field(Message message, List<String> path) {
        FieldDescriptor field = message.getDescriptorForType().findFieldByName(path.getFirst());
        if (field == null) {
            return Optional.empty();
        }
        if (field.isMapField()) {
            return entry(message, field, String.join(".", path.subList(1, path.size())));
        }
        if (field.isRepeated()) {
            return Optional.empty();
        }
        Object value = message.getField(field);
        if (value instanceof Any any) {
            return path.size() == 1 ? Optional.of(any.getTypeUrl()) : Optional.empty();
        }
        if (value instanceof Message inner) {
            return path.size() == 1 ? Optional.empty() : field(inner, path.subList(1, path.size()));
        }
        return path.size() == 1 ? Fields.set(value.toString()) : Optional.empty();
    }

    private static Optional<String> entry(Message message, FieldDescriptor map, String key) {
        for (int i = 0; i < message.getRepeatedFieldCount(map); i++) {
            Message entry = (Message) message.getRepeatedField(map, i);
            var type = entry.getDescriptorForType();
            if (entry.getField(type.findFieldByNumber(1)).equals(key)) {
                return Optional.of(entry.getField(type.findFieldByNumber(2)).toString());
            }
        }
        return Optional.empty();
    }
}
