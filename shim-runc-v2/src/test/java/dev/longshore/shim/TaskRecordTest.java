package dev.longshore.shim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TaskRecordTest {

    @TempDir
    private Path bundle;

    @Test
    void recordIsReadAsItWasWritten() throws IOException {
        TaskRecord record = new TaskRecord(
                "c1",
                bundle,
                42,
                123456789L,
                true,
                43,
                new ProcessStdio.Addresses("/in", "file:///ö ü=:\\n", "", true));
        record.save();
        assertThat(TaskRecord.load(bundle)).isEqualTo(record);
        record.save();
        assertThat(bundle.toFile().list()).containsExactly("shim-task.properties");
    }

    @Test
    void bundleWithoutARecordIsNoTask() {
        assertThatThrownBy(() -> TaskRecord.load(bundle)).isInstanceOf(NoSuchFileException.class);
    }

    @Test
    void recordThatIsBrokenIsNoTask() throws IOException {
        for (String broken : new String[] {"pid=many\n", "start-time=\n", "id=\\u00\n", ""}) {
            Files.writeString(new TaskBundle(bundle).record(), broken);
            assertThatThrownBy(() -> TaskRecord.load(bundle)).as(broken).isInstanceOf(IOException.class);
        }
    }

    @Test
    void startOfAProcessTellsItFromALaterOne() {
        long own = TaskRecord.startTime((int) ProcessHandle.current().pid());
        assertThat(own).isPositive();
        assertThat(TaskRecord.startTime(1)).isNotEqualTo(own);
        assertThat(TaskRecord.startTime(Integer.MAX_VALUE)).isZero();
    }
}
