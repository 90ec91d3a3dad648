package dev.longshore.testkit.verify;

import dev.longshore.testkit.verify.Sentence.Outcome;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;

/** Makes sentences of what JUnit tells. */
final class SentenceListener implements TestExecutionListener {

    /** Characters of a reason that are shown. */
    private static final int LONGEST_REASON = 500;

    private final LivePlugin plugin;
    private final Consumer<Sentence> sink;
    private final Map<String, Long> started = new HashMap<>();

    SentenceListener(LivePlugin plugin, Consumer<Sentence> sink) {
        this.plugin = plugin;
        this.sink = sink;
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        started.put(test.getUniqueId(), System.nanoTime());
        if (test.isTest()) {
            plugin.forgetLastCall();
        }
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        Optional<Throwable> cause = result.getThrowable();
        switch (result.getStatus()) {
            case SUCCESSFUL -> {
                if (test.isTest()) {
                    tell(test, Outcome.PASS, "");
                }
            }
            case ABORTED ->
                tell(test, Outcome.SKIP, cause.map(SentenceListener::reason).orElse(""));
            case FAILED -> tell(test, Outcome.FAIL, cause.map(plugin::explain).orElse("no reason is known"));
        }
    }

    private void tell(TestIdentifier test, Outcome outcome, String detail) {
        long nanos = System.nanoTime() - started.getOrDefault(test.getUniqueId(), System.nanoTime());
        String method = test.getSource()
                .filter(MethodSource.class::isInstance)
                .map(source -> ((MethodSource) source).getMethodName())
                .orElse("");
        String words = Sentence.words(method.isEmpty() ? test.getDisplayName() : method);
        boolean isOneOfMany =
                test.getUniqueIdObject().getLastSegment().getType().equals("test-template-invocation");
        sink.accept(new Sentence(
                method,
                isOneOfMany ? "%s (%s)".formatted(words, test.getDisplayName().replace("{}", "")) : words,
                outcome,
                detail,
                nanos / 1e9));
    }

    /** The message on one line, without the stacks that assertions put into it, and with containerd's names of the errors. */
    static String reason(Throwable error) {
        List<String> parts = new ArrayList<>();
        String message = String.valueOf(error.getMessage() == null ? error : error.getMessage());
        for (String line : message.split("\n", -1)) {
            String part = line.strip();
            if (!part.isEmpty() && !part.startsWith("at ") && !part.startsWith("...")) {
                parts.add(part);
            }
        }
        String text = String.join(" ", parts)
                .replace("Assumption failed: ", "")
                .replaceAll("dev\\.longshore\\.sdk\\.errors\\.(\\w+)Exception", "$1")
                .replaceAll("Caused by: .*", "")
                .strip();
        return text.length() <= LONGEST_REASON ? text : text.substring(0, LONGEST_REASON) + "...";
    }
}
