package dev.longshore.stargz.fuse;

import dev.longshore.sdk.errors.InvalidArgumentException;
import dev.longshore.sdk.file.DurableFiles;
import dev.longshore.sdk.json.Json;
import dev.longshore.sdk.linux.DescriptorHolder;
import dev.longshore.sdk.linux.Errno;
import dev.longshore.sdk.linux.ErrnoException;
import dev.longshore.sdk.linux.FuseDevice;
import dev.longshore.sdk.linux.PidFd;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A mount's process that has its descriptor while this program is away, as it is written down: the process, told from others of its
 * number by when it started, and what was agreed on with the kernel, because that is not said twice.
 *
 * @param started in the kernel's ticks since it booted: field 22 of proc_pid_stat(5)
 * @param features empty until the kernel has begun; such a mount was not told to anybody, and is not taken over
 */
record Holder(int pid, long started, Optional<Features> features) {

    private static final int SIGKILL = 9;
    private static final Duration END = Duration.ofSeconds(10);

    static Holder start(FuseDevice device, String note) throws IOException {
        int pid = DescriptorHolder.start(device, note);
        return new Holder(pid, startTime(pid).orElseThrow(), Optional.empty());
    }

    Holder with(Features agreed) {
        return new Holder(pid, started, Optional.of(agreed));
    }

    void write(Path record) throws IOException {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("pid", pid);
        json.put("started", started);
        features.ifPresent(agreed -> {
            json.put("minor", agreed.minor());
            json.put("resend", agreed.resend());
            json.put("passthrough", agreed.passthrough());
        });
        DurableFiles.write(record, Json.bytes(json));
    }

    /** @return empty if there is no record */
    static Optional<Holder> read(Path record) throws IOException {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(record);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        Map<String, Object> json = Json.object(bytes, record.toString());
        if (!(json.get("pid") instanceof Number pid) || !(json.get("started") instanceof Number started)) {
            throw new InvalidArgumentException(record + " is no record of a descriptor's holder");
        }
        Optional<Features> features = json.get("minor") instanceof Number minor
                ? Optional.of(new Features(
                        minor.intValue(),
                        Boolean.TRUE.equals(json.get("resend")),
                        Boolean.TRUE.equals(json.get("passthrough"))))
                : Optional.empty();
        return Optional.of(new Holder(pid.intValue(), started.longValue(), features));
    }

    /**
     * The mount's connection.
     *
     * @return empty if the process has ended
     */
    Optional<FuseDevice> take() throws IOException {
        try (PidFd process = PidFd.open(pid)) {
            // Asked once the process is held, so that it is still the same when its descriptor is taken.
            if (!isIt()) {
                return Optional.empty();
            }
            return Optional.of(FuseDevice.takeFrom(process, DescriptorHolder.DESCRIPTOR));
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ESRCH || e.errno() == Errno.EINVAL) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** Whether it still runs; reaps it if it does not and was our child. */
    boolean isThere() throws IOException {
        try (PidFd process = PidFd.open(pid)) {
            if (isIt()) {
                return true;
            }
            process.reap();
            return false;
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ESRCH || e.errno() == Errno.EINVAL || e.errno() == Errno.ECHILD) {
                return false;
            }
            throw e;
        }
    }

    private boolean isIt() throws IOException {
        Path descriptor = Path.of("/proc", Integer.toString(pid), "fd", Integer.toString(DescriptorHolder.DESCRIPTOR));
        return startTime(pid).filter(time -> time == started).isPresent()
                && Files.isSymbolicLink(descriptor)
                && Files.readSymbolicLink(descriptor).equals(Path.of("/dev/fuse"));
    }

    /** Ends the process, if it still runs, and waits for that. */
    void end() throws IOException {
        try (PidFd process = PidFd.open(pid)) {
            if (!isIt()) {
                return;
            }
            process.signal(SIGKILL);
            process.awaitEnd(END);
            process.reap();
        } catch (ErrnoException e) {
            // Ended meanwhile; or the child of one before us, which init reaps.
            if (e.errno() != Errno.ESRCH && e.errno() != Errno.EINVAL && e.errno() != Errno.ECHILD) {
                throw e;
            }
        }
    }

    private static Optional<Long> startTime(int pid) throws IOException {
        String stat;
        try {
            stat = Files.readString(Path.of("/proc", Integer.toString(pid), "stat"), StandardCharsets.ISO_8859_1);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        // The second field is the program's name in parentheses, and may have any of these.
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        return Optional.of(Long.parseLong(fields[19]));
    }
}
