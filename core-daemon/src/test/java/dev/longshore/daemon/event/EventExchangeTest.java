package dev.longshore.daemon.event;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.errors.ResourceExhaustedException;
import dev.longshore.sdk.event.Envelope;
import dev.longshore.sdk.filter.Fields;
import dev.longshore.sdk.namespace.NamespaceId;
import dev.longshore.sdk.typeurl.TypedValue;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class EventExchangeTest {

    private static final NamespaceId NAMESPACE = new NamespaceId("test");
    private static final Duration LONG = Duration.ofSeconds(10);

    private final EventExchange exchange = new EventExchange(Clock.systemUTC(), EventExchangeTest::fields);

    private static Fields fields(Envelope envelope) {
        return path -> switch (path.getFirst()) {
            case "topic" -> Optional.of(envelope.topic());
            case "namespace" -> Optional.of(envelope.namespace().value());
            default -> Optional.empty();
        };
    }

    private void publish(String topic) {
        publish(topic, 10);
    }

    private void publish(String topic, int bytes) {
        exchange.publish(NAMESPACE, topic, new TypedValue("type", new byte[bytes]));
    }

    private static List<String> take(Subscription subscription, int count) throws InterruptedException {
        List<String> topics = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            topics.add(subscription.next(LONG).orElseThrow().topic());
        }
        return topics;
    }

    @Test
    void eventsComeInTheOrderOfTheirPublishing() throws Exception {
        try (Subscription subscription = exchange.subscribe(List.of())) {
            List<String> topics = new ArrayList<>();
            for (int i = 0; i < 1000; i++) {
                topics.add("/topic/" + i);
                publish("/topic/" + i);
            }
            assertThat(take(subscription, 1000)).isEqualTo(topics);
            assertThat(subscription.next(Duration.ZERO)).isEmpty();
        }
    }

    @Test
    void allSubscribersSeeTheEventsOfManyPublishersInOneOrder() throws Exception {
        int publishers = 8;
        int events = 200;
        try (Subscription first = exchange.subscribe(List.of());
                Subscription second = exchange.subscribe(List.of());
                ExecutorService threads = Executors.newFixedThreadPool(publishers)) {
            CountDownLatch begin = new CountDownLatch(1);
            List<Future<?>> running = new ArrayList<>();
            for (int p = 0; p < publishers; p++) {
                String prefix = "/p" + p + "/";
                running.add(threads.submit(() -> {
                    begin.await();
                    for (int i = 0; i < events; i++) {
                        publish(prefix + i);
                    }
                    return true;
                }));
            }
            begin.countDown();
            for (Future<?> publisher : running) {
                assertThat(publisher.get()).isEqualTo(true);
            }
            List<String> seen = take(first, publishers * events);
            assertThat(take(second, publishers * events)).isEqualTo(seen);
            for (int p = 0; p < publishers; p++) {
                String prefix = "/p" + p + "/";
                assertThat(seen.stream()
                                .filter(topic -> topic.startsWith(prefix))
                                .toList())
                        .as("of one publisher in its order")
                        .containsExactlyElementsOf(IntStream.range(0, events)
                                .mapToObj(i -> prefix + i)
                                .toList());
            }
        }
    }

    @Test
    void aSubscriberSeesWhatOneOfItsFiltersTakes() throws Exception {
        try (Subscription images = exchange.subscribe(List.of("topic~=|^/images/|", "topic==\"/tasks/exit\""));
                Subscription others = exchange.subscribe(List.of("namespace!=test"))) {
            publish("/images/create");
            publish("/tasks/start");
            publish("/tasks/exit");
            assertThat(take(images, 2)).containsExactly("/images/create", "/tasks/exit");
            assertThat(images.next(Duration.ZERO)).isEmpty();
            assertThat(others.next(Duration.ZERO)).isEmpty();
        }
    }

    @Test
    void aFilterThatIsNoneIsRefusedAndLeavesNothing() {
        assertThatThrownBy(() -> exchange.subscribe(List.of("topic==\"/a\"", "topic~=|(|")))
                .isInstanceOf(InvalidArgumentException.class);
        publish("/a");
    }

    @Test
    void aSubscriberSeesNothingFromBeforeItCameOrAfterItLeft() throws Exception {
        publish("/before");
        Subscription subscription = exchange.subscribe(List.of());
        publish("/between");
        subscription.close();
        publish("/after");
        assertThat(take(subscription, 1)).containsExactly("/between");
        assertThat(subscription.next(Duration.ZERO)).isEmpty();
    }

    @Test
    void aSlowSubscriberIsCutOffAndTheOthersAreNot() throws Exception {
        try (Subscription slow = exchange.subscribe(List.of());
                Subscription quick = exchange.subscribe(List.of())) {
            for (int i = 0; i < Subscription.MAX_BEHIND + 5; i++) {
                publish("/topic/" + i);
                assertThat(take(quick, 1)).containsExactly("/topic/" + i);
            }
            // What it had taken in before it is told.
            assertThat(take(slow, Subscription.MAX_BEHIND)).startsWith("/topic/0", "/topic/1");
            assertThatThrownBy(() -> slow.next(Duration.ZERO))
                    .isInstanceOf(ResourceExhaustedException.class)
                    .hasMessageContaining("behind");
            publish("/later");
            assertThat(take(quick, 1)).containsExactly("/later");
            assertThatThrownBy(() -> slow.next(Duration.ZERO)).isInstanceOf(ResourceExhaustedException.class);
        }
    }

    @Test
    void aSlowSubscriberOfBigEventsIsCutOffByTheirBytes() throws Exception {
        int size = 1 << 20;
        try (Subscription slow = exchange.subscribe(List.of())) {
            for (int i = 0; i < 40; i++) {
                publish("/big", size);
            }
            int taken = 0;
            try {
                while (slow.next(Duration.ZERO).isPresent()) {
                    taken++;
                }
            } catch (ResourceExhaustedException e) {
                assertThat(taken).isBetween(30, 32);
                return;
            }
            throw new AssertionError("not cut off after " + taken + " MiB");
        }
    }

    @Test
    void aReaderThatKeepsUpTakesAnyNumberOfBytes() throws Exception {
        try (Subscription subscription = exchange.subscribe(List.of())) {
            for (int i = 0; i < 100; i++) {
                publish("/big", 1 << 20);
                assertThat(take(subscription, 1)).containsExactly("/big");
            }
            publish("/huge", 40 << 20);
            assertThat(take(subscription, 1)).containsExactly("/huge");
        }
    }

    @Test
    void aForwardedEventKeepsItsTime() throws Exception {
        Instant then = Instant.parse("2020-01-01T00:00:00.123456789Z");
        try (Subscription subscription = exchange.subscribe(List.of())) {
            Envelope envelope = new Envelope(then, NAMESPACE, "/tasks/exit", new TypedValue("type", new byte[] {1}));
            exchange.forward(envelope);
            assertThat(subscription.next(LONG)).contains(envelope);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/", "tasks/exit", "//", "/tasks/", "/tasks//exit", "/tasks/ex it", "/../x"})
    void aTopicThatIsNoneIsRefused(String topic) {
        try (Subscription subscription = exchange.subscribe(List.of())) {
            assertThatThrownBy(() -> publish(topic)).isInstanceOf(InvalidArgumentException.class);
            assertThatThrownBy(() -> exchange.forward(
                            new Envelope(Instant.EPOCH, NAMESPACE, topic, new TypedValue("type", new byte[0]))))
                    .isInstanceOf(InvalidArgumentException.class);
        }
    }
}
