package dev.longshore.daemon.runtime;

import com.google.protobuf.Empty;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.longshore.api.task.v3.CheckpointTaskRequest;
import dev.longshore.api.task.v3.CloseIORequest;
import dev.longshore.api.task.v3.ConnectRequest;
import dev.longshore.api.task.v3.ConnectResponse;
import dev.longshore.api.task.v3.CreateTaskRequest;
import dev.longshore.api.task.v3.CreateTaskResponse;
import dev.longshore.api.task.v3.DeleteRequest;
import dev.longshore.api.task.v3.DeleteResponse;
import dev.longshore.api.task.v3.ExecProcessRequest;
import dev.longshore.api.task.v3.KillRequest;
import dev.longshore.api.task.v3.PauseRequest;
import dev.longshore.api.task.v3.PidsRequest;
import dev.longshore.api.task.v3.PidsResponse;
import dev.longshore.api.task.v3.ResizePtyRequest;
import dev.longshore.api.task.v3.ResumeRequest;
import dev.longshore.api.task.v3.ShutdownRequest;
import dev.longshore.api.task.v3.StartRequest;
import dev.longshore.api.task.v3.StartResponse;
import dev.longshore.api.task.v3.StateRequest;
import dev.longshore.api.task.v3.StateResponse;
import dev.longshore.api.task.v3.StatsRequest;
import dev.longshore.api.task.v3.StatsResponse;
import dev.longshore.api.task.v3.UpdateTaskRequest;
import dev.longshore.api.task.v3.WaitRequest;
import dev.longshore.api.task.v3.WaitResponse;
import dev.longshore.sdk.context.Deadline;
import dev.longshore.sdk.errors.UnimplementedException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The task service of a shim. Versions 2 and 3 differ in the service's name only, so the messages of 3 are sent to both.
 * A shim that answered {@code start} with version 3, while the process that serves an older container knows version 2
 * only, is found out by the first call.
 */
final class ShimClient implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ShimClient.class);

    private final Bundle bundle;
    private final ShimConnection connection;
    private volatile int version;
    private volatile boolean versionIsProven;

    ShimClient(Bundle bundle, ShimConnection connection, int version) {
        this.bundle = bundle;
        this.connection = connection;
        this.version = version;
    }

    StateResponse state(StateRequest request, Deadline deadline) {
        return call("State", request, StateResponse.parser(), deadline);
    }

    CreateTaskResponse create(CreateTaskRequest request, Deadline deadline) {
        return call("Create", request, CreateTaskResponse.parser(), deadline);
    }

    StartResponse start(StartRequest request, Deadline deadline) {
        return call("Start", request, StartResponse.parser(), deadline);
    }

    DeleteResponse delete(DeleteRequest request, Deadline deadline) {
        return call("Delete", request, DeleteResponse.parser(), deadline);
    }

    PidsResponse pids(PidsRequest request, Deadline deadline) {
        return call("Pids", request, PidsResponse.parser(), deadline);
    }

    void pause(PauseRequest request, Deadline deadline) {
        call("Pause", request, Empty.parser(), deadline);
    }

    void resume(ResumeRequest request, Deadline deadline) {
        call("Resume", request, Empty.parser(), deadline);
    }

    void checkpoint(CheckpointTaskRequest request, Deadline deadline) {
        call("Checkpoint", request, Empty.parser(), deadline);
    }

    void kill(KillRequest request, Deadline deadline) {
        call("Kill", request, Empty.parser(), deadline);
    }

    void exec(ExecProcessRequest request, Deadline deadline) {
        call("Exec", request, Empty.parser(), deadline);
    }

    void resizePty(ResizePtyRequest request, Deadline deadline) {
        call("ResizePty", request, Empty.parser(), deadline);
    }

    void closeIo(CloseIORequest request, Deadline deadline) {
        call("CloseIO", request, Empty.parser(), deadline);
    }

    void update(UpdateTaskRequest request, Deadline deadline) {
        call("Update", request, Empty.parser(), deadline);
    }

    WaitResponse await(WaitRequest request, Deadline deadline) {
        return call("Wait", request, WaitResponse.parser(), deadline);
    }

    StatsResponse stats(StatsRequest request, Deadline deadline) {
        return call("Stats", request, StatsResponse.parser(), deadline);
    }

    ConnectResponse connect(Deadline deadline) {
        ConnectRequest request = ConnectRequest.newBuilder().setId(bundle.id()).build();
        return call("Connect", request, ConnectResponse.parser(), deadline);
    }

    /** Asks the shim to end; one that has other containers does not. */
    void shutdown(Deadline deadline) {
        ShutdownRequest request =
                ShutdownRequest.newBuilder().setId(bundle.id()).build();
        call("Shutdown", request, Empty.parser(), deadline);
    }

    private <A extends MessageLite> A call(String method, MessageLite request, Parser<A> parser, Deadline deadline) {
        A answer;
        try {
            answer = connection.call(service(), method, request, parser, deadline);
        } catch (UnimplementedException e) {
            if (versionIsProven || version < 3) {
                throw e;
            }
            version = 2;
            LOG.atWarn()
                    .addKeyValue("namespace", bundle.namespace())
                    .addKeyValue("id", bundle.id())
                    .addKeyValue("err", e.getMessage())
                    .log("Shim does not serve version 3 of the task service, calling version 2");
            answer = connection.call(service(), method, request, parser, deadline);
        }
        versionIsProven = true;
        return answer;
    }

    private String service() {
        return version == 2 ? "containerd.task.v2.Task" : "containerd.task.v3.Task";
    }

    boolean isClosed() {
        return connection.isClosed();
    }

    @Override
    public void close() {
        connection.close();
    }
}
