package dev.longshore.shim;

import dev.longshore.sdk.errors.NotFoundException;
import dev.longshore.sdk.errors.UnavailableException;
import dev.longshore.sdk.errors.UnknownException;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/**
 * runc, or a program with its command line, called for one container. Its error messages come from its log, because its standard
 * error may be the container's.
 */
final class Runc {

    /** Nothing that runc does by itself takes this long; a checkpoint of a big container may. */
    private static final long TIMEOUT_MINUTES = 20;

    private static final int MAX_OUTPUT = 4 << 20;

    private final String binary;
    private final Path root;
    private final boolean systemdCgroup;
    private final TaskBundle bundle;

    /** So that calls that are made at the same time have logs of their own. */
    private final AtomicLong calls = new AtomicLong();

    /** Where a process that runc makes reads from and writes to. */
    record Stdio(Redirect in, Redirect out, Redirect err) {

        static final Stdio NULL =
                new Stdio(Redirect.from(new java.io.File("/dev/null")), Redirect.DISCARD, Redirect.DISCARD);
    }

    private Runc(String binary, Path root, boolean systemdCgroup, TaskBundle bundle) {
        this.binary = binary;
        this.root = root;
        this.systemdCgroup = systemdCgroup;
        this.bundle = bundle;
    }

    static Runc of(RuncOptions options, String namespace, TaskBundle bundle) {
        return new Runc(
                options.binary(),
                Path.of(options.root(), namespace),
                options.options().getSystemdCgroup(),
                bundle);
    }

    String binary() {
        return binary;
    }

    /**
     * Calls runc and waits for it.
     *
     * @param call what to do, e.g. {@code create}
     * @throws UnknownException with what runc logged, if it fails
     */
    void run(String call, Stdio stdio, List<String> arguments) throws IOException {
        Path log = bundle.runcLog(call, calls.incrementAndGet());
        Process process;
        try {
            process = new ProcessBuilder(command(call, log, arguments))
                    .directory(bundle.path().toFile())
                    .redirectInput(stdio.in())
                    .redirectOutput(stdio.out())
                    .redirectError(stdio.err())
                    .start();
        } catch (IOException e) {
            throw new UnavailableException(
                    "cannot start %s: %s: install it, or name another with the option binary_name"
                            .formatted(binary, e.getMessage()),
                    e);
        }
        try {
            if (!process.waitFor(TIMEOUT_MINUTES, TimeUnit.MINUTES)) {
                process.destroyForcibly();
                throw new UnavailableException(
                        "%s %s did not end in %d minutes".formatted(binary, call, TIMEOUT_MINUTES));
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new UnavailableException("interrupted during %s %s".formatted(binary, call), e);
        }
        try {
            if (process.exitValue() != 0) {
                throw failure(call, log, process.exitValue());
            }
        } finally {
            Files.deleteIfExists(log);
        }
    }

    void run(String call, String... arguments) throws IOException {
        run(call, Stdio.NULL, List.of(arguments));
    }

    /** What runc prints. */
    byte[] output(String call, String... arguments) throws IOException {
        Path out = Files.createTempFile(bundle.path(), call, ".out");
        try {
            run(call, new Stdio(Stdio.NULL.in(), Redirect.to(out.toFile()), Redirect.DISCARD), List.of(arguments));
            if (Files.size(out) > MAX_OUTPUT) {
                throw new UnknownException("%s %s printed %d bytes".formatted(binary, call, Files.size(out)));
            }
            return Files.readAllBytes(out);
        } finally {
            Files.deleteIfExists(out);
        }
    }

    private List<String> command(String call, Path log, List<String> arguments) {
        List<String> command = new ArrayList<>(
                List.of(binary, "--root", root.toString(), "--log", log.toString(), "--log-format", "json"));
        if (systemdCgroup) {
            command.add("--systemd-cgroup");
        }
        command.add(call);
        command.addAll(arguments);
        return command;
    }

    private RuntimeException failure(String call, Path log, int status) {
        String message = lastError(log);
        if (message.isEmpty()) {
            message = "exit status " + status;
        }
        if (message.contains("does not exist")) {
            return new NotFoundException("%s %s: %s".formatted(binary, call, message));
        }
        return new UnknownException("OCI runtime %s failed: %s".formatted(call, message));
    }

    /** The message of the last line of level error in runc's log; empty if there is none. */
    static String lastError(Path log) {
        String last = "";
        try {
            for (String line : new String(Files.readAllBytes(log), StandardCharsets.UTF_8).split("\n", -1)) {
                String message = error(line);
                if (!message.isEmpty()) {
                    last = message;
                }
            }
        } catch (IOException e) {
            return last; // it failed before it had a log
        }
        return last;
    }

    private static String error(String line) {
        String level = "";
        String message = "";
        try (JsonParser parser = new JsonFactory().createParser(ObjectReadContext.empty(), line)) {
            while (parser.nextToken() != null) {
                if (parser.currentToken() == JsonToken.PROPERTY_NAME) {
                    String name = parser.currentName();
                    parser.nextToken();
                    parser.skipChildren();
                    if (name.equals("level")) {
                        level = parser.getString();
                    } else if (name.equals("msg")) {
                        message = parser.getString();
                    }
                }
            }
        } catch (tools.jackson.core.JacksonException e) {
            return ""; // a line that runc did not finish
        }
        return level.equals("error") || level.equals("fatal") ? message : "";
    }

    /** Removes the container, killing what is left of it; one that is not there is no error. */
    void deleteIfThere(String id) throws IOException {
        run("delete", "--force", id);
    }
}
