package dev.longshore.cli;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.json.Json;
import dev.longshore.testkit.verify.PluginType;
import dev.longshore.testkit.verify.Sentence;
import dev.longshore.testkit.verify.Sentence.Outcome;
import dev.longshore.testkit.verify.Verification;
import dev.longshore.testkit.verify.Verification.Verdict;
import dev.longshore.testkit.verify.VerifyOptions;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Runs a contract and prints what comes out. Apart from the command, whose signatures are looked at whenever any command starts: the
 * test libraries are for this one alone.
 */
final class PluginReport {

    private PluginReport() {}

    /** @return the exit status */
    static int verify(
            String type,
            Path socket,
            Path content,
            String name,
            Set<String> capabilities,
            boolean strict,
            Duration timeout,
            Optional<String> restart,
            Optional<String> only,
            boolean json,
            PrintWriter out) {
        VerifyOptions options =
                new VerifyOptions(type(type), socket, content, name, capabilities, strict, timeout, restart, only);
        Verdict verdict = Verification.run(options, sentence -> {
            if (!json) {
                out.println(sentence);
                out.flush();
            }
        });
        out.println(json ? Json.pretty(tree(options, verdict)) : summary(verdict));
        out.flush();
        return verdict.passed() ? 0 : 1;
    }

    private static PluginType type(String word) {
        return Arrays.stream(PluginType.values())
                .filter(type -> word(type).equals(word))
                .findFirst()
                .orElseThrow(() -> new InvalidArgumentException("--type %s: must be one of %s"
                        .formatted(
                                word,
                                Arrays.stream(PluginType.values())
                                        .map(PluginReport::word)
                                        .toList())));
    }

    private static String summary(Verdict verdict) {
        String counts = "%d passed, %d failed, %d skipped"
                .formatted(verdict.count(Outcome.PASS), verdict.count(Outcome.FAIL), verdict.count(Outcome.SKIP));
        return verdict.left().isEmpty()
                ? counts
                : "%s%n%d could not be removed; they are the plugin's now:%n  %s"
                        .formatted(counts, verdict.left().size(), String.join("\n  ", verdict.left()));
    }

    private static Map<String, Object> tree(VerifyOptions options, Verdict verdict) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("type", word(options.type()));
        tree.put("address", options.socket().toString());
        tree.put("passed", verdict.passed());
        tree.put(
                "sentences",
                verdict.sentences().stream().map(PluginReport::tree).toList());
        tree.put("left", List.copyOf(verdict.left()));
        return tree;
    }

    private static Map<String, Object> tree(Sentence sentence) {
        Map<String, Object> tree = new LinkedHashMap<>();
        tree.put("sentence", sentence.words());
        tree.put("method", sentence.method());
        tree.put("outcome", word(sentence.outcome()));
        tree.put("detail", sentence.detail());
        tree.put("seconds", sentence.seconds());
        return tree;
    }

    private static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }
}
