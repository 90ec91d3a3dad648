package dev.longshore.testkit;

import com.google.protobuf.Empty;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import dev.longshore.api.events.TaskCreate;
import dev.longshore.api.events.TaskDelete;
import dev.longshore.api.events.TaskExecAdded;
import dev.longshore.api.events.TaskExecStarted;
import dev.longshore.api.events.TaskExit;
import dev.longshore.api.events.TaskOOM;
import dev.longshore.api.events.TaskPaused;
import dev.longshore.api.events.TaskResumed;
import dev.longshore.api.events.TaskStart;
import dev.longshore.api.services.events.ttrpc.v1.ForwardRequest;
import dev.longshore.api.types.Envelope;
import dev.longshore.ttrpc.TtrpcServer;
import dev.longshore.ttrpc.TtrpcService;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** The daemon's events service, which keeps what shims tell it in the order in which it came. */
public final class RecordedEvents implements AutoCloseable {

    private final List<Event> events = new CopyOnWriteArrayList<>();
    private final TtrpcServer server;

    /**
     * An event of a task.
     *
     * @param container its id
     * @param process that it is about: the container's id, or the exec's; empty where the event has none
     */
    public record Event(String namespace, String topic, String container, String process, Message message) {

        private static Event of(Envelope envelope) throws InvalidProtocolBufferException {
            var bytes = envelope.getEvent().getValue();
            Event event = of(
                    envelope,
                    switch (envelope.getTopic()) {
                        case "/tasks/create" -> TaskCreate.parseFrom(bytes);
                        case "/tasks/start" -> TaskStart.parseFrom(bytes);
                        case "/tasks/exit" -> TaskExit.parseFrom(bytes);
                        case "/tasks/delete" -> TaskDelete.parseFrom(bytes);
                        case "/tasks/oom" -> TaskOOM.parseFrom(bytes);
                        case "/tasks/exec-added" -> TaskExecAdded.parseFrom(bytes);
                        case "/tasks/exec-started" -> TaskExecStarted.parseFrom(bytes);
                        case "/tasks/paused" -> TaskPaused.parseFrom(bytes);
                        case "/tasks/resumed" -> TaskResumed.parseFrom(bytes);
                        default -> envelope;
                    });
            return event;
        }

        private static Event of(Envelope envelope, Message message) {
            return new Event(
                    envelope.getNamespace(),
                    envelope.getTopic(),
                    field(message, "container_id"),
                    field(message, "id") + field(message, "exec_id"),
                    message);
        }

        private static String field(Message message, String name) {
            var field = message.getDescriptorForType().findFieldByName(name);
            return field == null ? "" : String.valueOf(message.getField(field));
        }

        /** The last part of the topic, and whom it is about. */
        @Override
        public String toString() {
            String name = topic.substring(topic.lastIndexOf('/') + 1);
            return process.isEmpty() || process.equals(container) ? name : name + " " + process;
        }
    }

    /** Serves at {@code socket}. */
    public RecordedEvents(Path socket) throws IOException {
        server = TtrpcServer.start(
                ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket)),
                List.of(new TtrpcService("containerd.services.events.ttrpc.v1.Events")
                        .unary("Forward", ForwardRequest.parser(), (context, request) -> {
                            events.add(Event.of(request.getEnvelope()));
                            return Empty.getDefaultInstance();
                        })));
    }

    /** What has been told of a container so far. */
    public List<Event> of(String container) {
        return events.stream()
                .filter(event -> event.container().equals(container))
                .toList();
    }

    /** As {@link #of}, in words: {@code create}, {@code exit}, {@code exec-added NAME}. */
    public List<String> namesOf(String container) {
        return of(container).stream().map(Event::toString).toList();
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
