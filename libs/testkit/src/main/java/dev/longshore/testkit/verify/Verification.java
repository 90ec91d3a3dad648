package dev.longshore.testkit.verify;

import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.testkit.verify.Sentence.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.engine.JupiterTestEngine;
import org.junit.platform.engine.CancellationToken;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.LauncherSession;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherConfig;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherExecutionRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Holds a program that is up to the contract of its kind. It works beside what the program has already: every key, name, ref and
 * blob is one that nobody else uses, and all are removed after the sentence they were made for, whether it passed or not.
 */
public final class Verification {

    /** No sentence may take longer, whatever its calls do. */
    private static final Duration LONGEST_SENTENCE = Duration.ofMinutes(5);

    private final VerifyOptions options;
    private final Consumer<Sentence> sink;
    private final CancellationToken canceled = CancellationToken.create();
    private final CountDownLatch ended = new CountDownLatch(1);

    private Verification(VerifyOptions options, Consumer<Sentence> sink) {
        this.options = options;
        this.sink = sink;
    }

    /**
     * Tries the sentences one after the other. When the process is told to end meanwhile, what the current one made is still
     * removed.
     *
     * @param sink told of each sentence when it is known
     * @throws FailedPreconditionException if nobody answers at the socket, or nobody who has the service
     * @throws InvalidArgumentException if there is no such sentence as {@link VerifyOptions#only}
     */
    public static Verdict run(VerifyOptions options, Consumer<Sentence> sink) {
        return new Verification(options, sink).run();
    }

    private Verdict run() {
        if (options.type().mounts() && !"root".equals(System.getProperty("user.name"))) {
            throw new FailedPreconditionException(
                    "what a plugin of type %s answers is mounted here, which needs root: run it as root"
                            .formatted(options.type().name().toLowerCase(Locale.ROOT)));
        }
        try (LivePlugin plugin = LivePlugin.connect(options);
                LauncherSession session = LauncherFactory.openSession(LauncherConfig.builder()
                        .enableTestEngineAutoRegistration(false)
                        .addTestEngines(new JupiterTestEngine())
                        .build())) {
            Thread hook = new Thread(() -> interrupt(plugin), "verify-interrupted");
            Runtime.getRuntime().addShutdownHook(hook);
            try {
                return run(plugin, session);
            } finally {
                ended.countDown();
                if (!canceled.isCancellationRequested()) {
                    Runtime.getRuntime().removeShutdownHook(hook);
                }
            }
        }
    }

    private Verdict run(LivePlugin plugin, LauncherSession session) {
        plugin.offer(session.getStore());
        TestPlan plan = session.getLauncher().discover(request());
        if (options.only().isPresent() && !plan.containsTests()) {
            throw new InvalidArgumentException("the contract has no sentence \"%s\". It has:%n  %s"
                    .formatted(options.only().get(), String.join("\n  ", sentences(session))));
        }
        List<Sentence> sentences = new ArrayList<>();
        session.getLauncher()
                .execute(LauncherExecutionRequestBuilder.request(plan)
                        .cancellationToken(canceled)
                        .listeners(new SentenceListener(plugin, sentence -> {
                            sentences.add(sentence);
                            sink.accept(sentence);
                        }))
                        .build());
        return new Verdict(sentences, plugin.removeLeftovers());
    }

    private LauncherDiscoveryRequest request() {
        LauncherDiscoveryRequestBuilder builder = builder();
        options.only()
                .ifPresent(only -> builder.filters((PostDiscoveryFilter) test -> FilterResult.includedIf(
                        test.getSource().filter(MethodSource.class::isInstance).map(MethodSource.class::cast).stream()
                                .map(MethodSource::getMethodName)
                                .allMatch(method -> method.equals(only)
                                        || Sentence.words(method).equals(only)))));
        return builder.build();
    }

    private LauncherDiscoveryRequestBuilder builder() {
        return LauncherDiscoveryRequestBuilder.request()
                .selectors(DiscoverySelectors.selectClass(options.type().contract()))
                .configurationParameter("junit.jupiter.execution.timeout.default", LONGEST_SENTENCE.toSeconds() + " s")
                .configurationParameter(
                        "junit.jupiter.testmethod.order.default", "org.junit.jupiter.api.MethodOrderer$MethodName")
                // Only what is asked for: extensions on the class path are not ours.
                .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "false");
    }

    private Set<String> sentences(LauncherSession session) {
        TestPlan all = session.getLauncher().discover(builder().build());
        Set<String> words = new TreeSet<>();
        all.accept(new TestPlan.Visitor() {
            @Override
            public void visit(TestIdentifier test) {
                test.getSource()
                        .filter(MethodSource.class::isInstance)
                        .map(source -> ((MethodSource) source).getMethodName())
                        .ifPresent(method -> words.add(Sentence.words(method)));
            }
        });
        return words;
    }

    /** The process is about to end: no call begins any more, so the sentence fails, and removes what it made. */
    private void interrupt(LivePlugin plugin) {
        canceled.cancel();
        plugin.stop();
        try {
            boolean _ = ended.await(options.timeout().multipliedBy(2).toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * What came out.
     *
     * @param sentences in the order they were tried
     * @param left what could not be removed: keys, refs and digests as the program has them
     */
    public record Verdict(List<Sentence> sentences, List<String> left) {

        public Verdict {
            sentences = List.copyOf(sentences);
            left = List.copyOf(left);
        }

        public long count(Outcome outcome) {
            return sentences.stream()
                    .filter(sentence -> sentence.outcome() == outcome)
                    .count();
        }

        /** Whether the program keeps the contract: some sentences passed, none failed, and nothing is left in it. */
        public boolean passed() {
            return count(Outcome.FAIL) == 0 && count(Outcome.PASS) > 0 && left.isEmpty();
        }
    }
}
