package dev.longshore.sdk.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class EpollIT {

    @TempDir
    private Path folder;

    @Test
    void tellsWhichFifoHasSomething() throws Exception {
        Fifo.make(folder.resolve("a"), 0600);
        Fifo.make(folder.resolve("b"), 0600);
        try (Epoll epoll = new Epoll();
                Fifo a = Fifo.open(folder.resolve("a"));
                Fifo b = Fifo.open(folder.resolve("b"))) {
            epoll.add(a.fd());
            epoll.add(b.fd());

            Files.writeString(folder.resolve("b"), "hello", StandardOpenOption.WRITE);

            assertThat(epoll.await()).containsExactly(b.fd());
            byte[] buffer = new byte[16];
            int length = b.read(buffer);
            assertThat(new String(buffer, 0, length, StandardCharsets.US_ASCII)).isEqualTo("hello");
            assertThat(b.read(buffer)).isZero();
            assertThat(a.read(buffer)).isZero();
        }
    }

    @Test
    void wakeEndsAnAwait() throws Exception {
        try (Epoll epoll = new Epoll()) {
            epoll.wake();

            assertThat(epoll.await()).isEqualTo(List.of());
        }
    }

    @Test
    void aProcessThatEndsIsReadable() throws Exception {
        Process process = new ProcessBuilder("sh", "-c", "read line").start();
        try (Epoll epoll = new Epoll();
                PidFd pidFd = PidFd.open((int) process.pid())) {
            epoll.add(pidFd.fd());
            process.destroyForcibly();

            assertThat(epoll.await()).containsExactly(pidFd.fd());
            epoll.remove(pidFd.fd());
        }
    }

    @Test
    void makingAFifoThatIsThereIsFine() throws Exception {
        Fifo.make(folder.resolve("a"), 0600);
        Fifo.make(folder.resolve("a"), 0600);

        Fifo.open(folder.resolve("a")).close();
    }
}
