package dev.longshore.shim;

import com.google.protobuf.Any;
import com.google.protobuf.Empty;
import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import dev.longshore.api.services.events.ttrpc.v1.ForwardRequest;
import dev.longshore.api.types.Envelope;
import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.ttrpc.TtrpcClient;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * Hands events to the daemon, in the order in which they were published, on a thread of its own. While the daemon is away they
 * wait; when too many wait, or one was tried too often, they are dropped with a line in the log, as containerd's shim does.
 */
final class EventForwarder {

    private static final String SERVICE = "containerd.services.events.ttrpc.v1.Events";
    private static final int QUEUE = 2048;
    private static final int TRIES = 5;
    private static final Duration TIMEOUT = Duration.ofSeconds(5);

    private final String address;
    private final String namespace;
    private final BlockingQueue<Envelope> queue = new ArrayBlockingQueue<>(QUEUE);
    private Optional<TtrpcClient> client = Optional.empty();

    EventForwarder(String address, String namespace) {
        this.address = address;
        this.namespace = namespace;
        Thread.ofVirtual().name("events").start(this::run);
    }

    void publish(String topic, Message event) {
        Instant now = Instant.now();
        Envelope envelope = Envelope.newBuilder()
                .setTimestamp(
                        Timestamp.newBuilder().setSeconds(now.getEpochSecond()).setNanos(now.getNano()))
                .setNamespace(namespace)
                .setTopic(topic)
                .setEvent(Any.newBuilder()
                        .setTypeUrl(event.getDescriptorForType().getFullName())
                        .setValue(event.toByteString()))
                .build();
        if (!queue.offer(envelope)) {
            ShimLog.warn("dropped event " + topic + ": the daemon has not taken the last " + QUEUE);
        }
    }

    private void run() {
        try {
            while (true) {
                forward(queue.take());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void forward(Envelope envelope) {
        if (address.isEmpty()) {
            return;
        }
        for (int attempt = 1; attempt <= TRIES; attempt++) {
            try {
                Empty answer = connected()
                        .call(
                                SERVICE,
                                "Forward",
                                ForwardRequest.newBuilder()
                                        .setEnvelope(envelope)
                                        .build(),
                                Empty.parser(),
                                CallContext.of(namespace, TIMEOUT));
                assert answer != null;
                return;
            } catch (ContainerdException e) {
                client.ifPresent(TtrpcClient::close);
                client = Optional.empty();
                if (attempt == TRIES) {
                    ShimLog.warn("dropped event " + envelope.getTopic() + ": " + e.getMessage());
                } else {
                    LockSupport.parkNanos(
                            Duration.ofMillis(500L * attempt * attempt).toNanos());
                }
            }
        }
    }

    private TtrpcClient connected() {
        if (client.isEmpty()) {
            client = Optional.of(TtrpcClient.connect(address, TIMEOUT));
        }
        return client.get();
    }
}
