package dev.longshore.daemon.event;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.event.Envelope;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.filter.Filter;
import dev.longshore.sdk.namespace.Identifiers;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.time.Clock;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/**
 * Takes events in and hands them to whoever has subscribed, all in the same order. Publishing never waits for a
 * subscriber: one that falls too far behind is cut off and told so.
 */
public final class EventExchange {

    private final Clock clock;
    private final Function<Envelope, Fields> fields;

    /** Held while an event is handed out: all subscribers see all events in one order. */
    private final ReentrantLock order = new ReentrantLock();

    private final Set<Subscription> subscriptions = ConcurrentHashMap.newKeySet();

    /** @param fields what filters see of an event */
    public EventExchange(Clock clock, Function<Envelope, Fields> fields) {
        this.clock = clock;
        this.fields = fields;
    }

    /**
     * Publishes an event of this moment.
     *
     * @throws InvalidArgumentException if {@code topic} is none
     */
    public void publish(NamespaceId namespace, String topic, TypedValue event) {
        checkTopic(topic);
        order.lock();
        try {
            offer(new Envelope(clock.instant(), namespace, topic, event));
        } finally {
            order.unlock();
        }
    }

    /**
     * Publishes an event that happened elsewhere.
     *
     * @throws InvalidArgumentException if its topic is none
     */
    public void forward(Envelope envelope) {
        checkTopic(envelope.topic());
        order.lock();
        try {
            offer(envelope);
        } finally {
            order.unlock();
        }
    }

    private void offer(Envelope envelope) {
        for (Subscription subscription : subscriptions) {
            subscription.offer(envelope, fields);
        }
    }

    /**
     * Subscribes to what one of the filters takes, from now on.
     *
     * @return to be closed by the caller
     */
    public Subscription subscribe(List<String> filters) {
        Subscription subscription = new Subscription(Filter.any(filters), subscriptions::remove);
        subscriptions.add(subscription);
        return subscription;
    }

    private static void checkTopic(String topic) {
        if (!topic.startsWith("/") || topic.length() == 1) {
            throw new InvalidArgumentException("topic \"%s\" must start with '/' and name something".formatted(topic));
        }
        for (String component : topic.substring(1).split("/", -1)) {
            Identifiers.check("topic", component);
        }
    }
}
