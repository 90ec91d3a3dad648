package dev.longshore.testkit.verify;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.longshore.sdk.context.CallContext;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.CanceledException;
import dev.longshore.sdk.errors.ContainerdException;
import dev.longshore.sdk.errors.DeadlineExceededException;
import dev.longshore.sdk.errors.ErrorClass;
import dev.longshore.sdk.errors.FailedPreconditionException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnimplementedException;
import dev.longshore.transport.grpc.UnixChannels;
import dev.longshore.transport.proxy.PluginConnection;
import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.StoreScope;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.platform.engine.support.store.Namespace;
import org.junit.platform.engine.support.store.NamespacedHierarchicalStore;

/** The program that is verified: a connection, a deadline for each call, and what the sentences have made in it. */
final class LivePlugin implements AutoCloseable {

    /** Of all calls, where the program has namespaces. */
    static final String NAMESPACE = "longshore-verify";

    private static final String KEY = "plugin";

    /** What a program that hung has to show that it does no more. */
    private static final Duration AFTER_A_HANG = Duration.ofSeconds(2);

    /** What a command that restarts a program may take, and the program until it serves. */
    private static final Duration RESTART = Duration.ofMinutes(1);

    private final VerifyOptions options;
    private final UnixChannels channels;
    private final PluginConnection connection;
    private final PluginConnection content;
    private final String run = Integer.toHexString(ThreadLocalRandom.current().nextInt(1 << 24, Integer.MAX_VALUE));
    private final AtomicInteger scopes = new AtomicInteger();
    private final List<Leftover> leftovers = new ArrayList<>();
    private volatile String lastCall = "";
    private volatile Optional<ContainerdException> lastError = Optional.empty();
    private volatile boolean hangs;
    private volatile boolean stopped;

    /** Something that is in the program because of us, and how it is removed. */
    record Leftover(String name, Runnable removal) {}

    /** Hands the plugin to the constructor of a contract. */
    static final class Parameter implements ParameterResolver {

        @Override
        public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
            return parameter.getParameter().getType() == LivePlugin.class;
        }

        @Override
        public LivePlugin resolveParameter(ParameterContext parameter, ExtensionContext context) {
            LivePlugin plugin = context.getStore(
                            StoreScope.LAUNCHER_SESSION, ExtensionContext.Namespace.create(LivePlugin.class))
                    .get(KEY, LivePlugin.class);
            if (plugin == null) {
                throw new IllegalStateException("run by Verification only");
            }
            return plugin;
        }
    }

    private LivePlugin(VerifyOptions options) {
        this.options = options;
        this.channels = new UnixChannels();
        this.connection = new PluginConnection(channels, options.socket());
        this.content = new PluginConnection(channels, options.content());
    }

    /** @throws FailedPreconditionException if nobody answers who has the service */
    static LivePlugin connect(VerifyOptions options) {
        LivePlugin plugin = new LivePlugin(options);
        try {
            plugin.requireService();
            return plugin;
        } catch (RuntimeException e) {
            plugin.close();
            throw e;
        }
    }

    private void requireService() {
        connection.absence().ifPresent(reason -> {
            throw new FailedPreconditionException("no plugin at %s: %s".formatted(options.socket(), reason));
        });
        try {
            ask(context());
        } catch (UnimplementedException e) {
            throw new FailedPreconditionException(
                    "the program at %s does not have the service %s, which a plugin of type %s serves: correct --type or --address"
                            .formatted(
                                    options.socket(),
                                    options.type().service(),
                                    options.type().name().toLowerCase(Locale.ROOT)),
                    e);
        } catch (UnavailableException e) {
            throw new FailedPreconditionException(
                    "the program at %s takes connections and ends them (%s): it does not speak gRPC, or does not hear this user:"
                                    .formatted(options.socket(), e.getMessage())
                            + " correct --address, or run this as the daemon's user",
                    e);
        } catch (DeadlineExceededException e) {
            throw new FailedPreconditionException(
                    "the program at %s takes connections and does not answer within %d s: it hangs, or does not speak gRPC:"
                                    .formatted(
                                            options.socket(), options.timeout().toSeconds())
                            + " restart it, correct --address, or give it more time with --timeout",
                    e);
        }
        connection.check(context());
    }

    /** Asks for what is not there, and takes every answer for one but that there is no answer. */
    private void ask(CallContext context) {
        try {
            options.type().probe().ask(connection, context);
        } catch (UnimplementedException | UnavailableException | DeadlineExceededException e) {
            throw e;
        } catch (ContainerdException e) {
            // It has the service, and not what was asked for.
        }
    }

    /** For {@link Parameter}. */
    void offer(NamespacedHierarchicalStore<Namespace> store) {
        var _ = store.put(Namespace.create(LivePlugin.class), KEY, this);
    }

    VerifyOptions options() {
        return options;
    }

    PluginConnection connection() {
        return connection;
    }

    /** To who has the blobs of a differ. */
    PluginConnection content() {
        return content;
    }

    /** What stands before every key of one sentence, as the daemon puts namespace and number before a client's keys. */
    String newPrefix() {
        return "longshore-verify/%s-%d/".formatted(run, scopes.incrementAndGet());
    }

    private CallContext context() {
        return CallContext.of(NAMESPACE, options.timeout());
    }

    /** The same call, with as much time as each call has. */
    CallContext bounded(CallContext context) {
        return new CallContext(
                context.namespace(), context.lease(), context.deadline().earlier(Deadline.after(options.timeout())));
    }

    /**
     * Begins a sentence.
     *
     * @throws DeadlineExceededException at once if the program hung in the sentence before and does so still
     */
    void begin() {
        requireRunning();
        if (hangs) {
            ask(context().within(AFTER_A_HANG));
            hangs = false;
        }
    }

    private void requireRunning() {
        if (stopped) {
            throw new CanceledException("the verification was interrupted");
        }
    }

    /** Makes a call of a sentence, and notes how it went. */
    <T> T call(String what, Supplier<T> call) {
        requireRunning();
        try {
            T answer = call.get();
            lastCall = what + " was answered";
            lastError = Optional.empty();
            return answer;
        } catch (ContainerdException e) {
            hangs = e instanceof DeadlineExceededException;
            lastCall = "%s failed with %s: %s".formatted(what, name(e), SentenceListener.reason(e));
            lastError = Optional.of(e);
            throw e;
        }
    }

    void run(String what, Runnable call) {
        var _ = call(what, () -> {
            call.run();
            return true;
        });
    }

    private static String name(ContainerdException error) {
        return error.getClass().getSimpleName().replace("Exception", "");
    }

    void forgetLastCall() {
        lastCall = "";
        lastError = Optional.empty();
    }

    /** Why the sentence failed, with the last call that it made. */
    String explain(Throwable cause) {
        if (lastError.filter(cause::equals).isPresent()) {
            return lastCall;
        }
        String reason = SentenceListener.reason(cause);
        return lastCall.isEmpty() ? reason : "%s (the last call: %s)".formatted(reason, lastCall);
    }

    /**
     * Restarts the program with the command that was given for it, and returns when it serves again. Skips the sentence if
     * there is none.
     */
    void restart() throws IOException, InterruptedException {
        String command = options.restart()
                .orElseGet(() -> abort("a program that is up is restarted only with --restart COMMAND"));
        Process process = new ProcessBuilder("sh", "-c", command)
                .redirectInput(new File("/dev/null"))
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        if (!process.waitFor(RESTART.toSeconds(), TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError(
                    "the command of --restart did not end within %d s; does it start the program in the foreground?"
                            .formatted(RESTART.toSeconds()));
        }
        if (process.exitValue() != 0) {
            throw new AssertionError("the command of --restart ended with " + process.exitValue());
        }
        awaitService();
    }

    private void awaitService() {
        Deadline deadline = Deadline.after(RESTART);
        await("the program listening on %s after --restart".formatted(options.socket()))
                .atMost(RESTART)
                .until(() -> connection.absence().isEmpty());
        connection.check(context().within(deadline.remaining()));
    }

    /** Undoes what a sentence made, the latest first. What cannot be removed is tried again at the end. */
    void remove(List<Leftover> made) {
        List<Leftover> left = new ArrayList<>(made.reversed());
        for (int before = -1; !hangs && !left.isEmpty() && before != left.size(); ) {
            before = left.size();
            left.removeIf(this::remove);
        }
        leftovers.addAll(left.reversed());
    }

    private boolean remove(Leftover leftover) {
        if (hangs) {
            return false;
        }
        try {
            leftover.removal().run();
            return true;
        } catch (ContainerdException e) {
            hangs = e instanceof DeadlineExceededException;
            return ErrorClass.of(e) == ErrorClass.NOT_FOUND;
        }
    }

    /** @return the names of what is still there */
    List<String> removeLeftovers() {
        List<Leftover> left = List.copyOf(leftovers);
        leftovers.clear();
        hangs = false;
        remove(left);
        return leftovers.stream().map(Leftover::name).toList();
    }

    /** A call that removes has its own time, whatever is left of its sentence's. */
    CallContext contextToRemove() {
        return context();
    }

    /** From now on calls of sentences fail; those that remove do not. */
    void stop() {
        stopped = true;
    }

    @Override
    public void close() {
        connection.close();
        content.close();
        channels.close();
    }
}
