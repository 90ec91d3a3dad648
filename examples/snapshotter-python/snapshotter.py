import os, re, shutil, subprocess, sys, threading
from concurrent import futures
import grpc
from google.protobuf import empty_pb2, timestamp_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from containerd.services.snapshots.v1 import snapshots_pb2 as pb, snapshots_pb2_grpc as rpc
from containerd.types import mount_pb2

FIELD = r'"(?:[^"\\]|\\.)*"|\w+'
TERM = re.compile(rf'((?:{FIELD})(?:\.(?:{FIELD}))*)(?:(==|!=|~=)("(?:[^"\\]|\\.)*"|/[^/]*/|\|[^|]*\||[^,\s"]+))?(?:,|$)')


def unquoted(text):
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[:1] in '"/|' else text


def takes(expression, info):  # containerd's filter grammar
    at = 0
    while at < len(expression):
        term = TERM.match(expression, at)
        if not term:
            raise ValueError(expression)
        path = [unquoted(field) for field in re.findall(FIELD, term[1])]
        fields = {"name": info.name, "parent": info.parent, "kind": pb.Kind.Name(info.kind).lower()}
        value = info.labels.get(".".join(path[1:])) if path[0] == "labels" else fields.get(path[0])
        wanted = unquoted(term[3]) if term[2] else None
        if not {None: lambda: bool(value), "==": lambda: value == wanted, "!=": lambda: (value or "") != wanted,
                "~=": lambda: re.search(wanted, value or "") is not None}[term[2]]():
            return False
        at = term.end()
    return True


def now():
    stamp = timestamp_pb2.Timestamp()
    stamp.GetCurrentTime()
    return stamp


class Snapshots(rpc.SnapshotsServicer):
    """Copies folders. What it knows is in memory: a product keeps it in a database."""

    def __init__(self, root):
        self.root, self.lock, self.known, self.ids, self.next = root, threading.RLock(), {}, {}, 0

    def get(self, key, context):
        if key not in self.known:
            context.abort(grpc.StatusCode.NOT_FOUND, f'snapshot "{key}" not found')
        return self.known[key]

    def free(self, key, context):
        if not key:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the key must not be empty")
        if key in self.known:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f'snapshot "{key}" already exists')

    def files(self, key):
        return os.path.join(self.root, str(self.ids[key]))

    def mount(self, key):
        mode = "ro" if self.known[key].kind == pb.VIEW else "rw"
        return [mount_pb2.Mount(type="bind", source=self.files(key), options=["rbind", mode])]

    def make(self, kind, request, context):
        with self.lock:  # simple: one copy at a time
            self.free(request.key, context)
            if request.parent and self.get(request.parent, context).kind != pb.COMMITTED:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f'parent "{request.parent}" is not committed')
            self.next += 1
            self.ids[request.key] = self.next
            os.mkdir(self.files(request.key))
            os.chmod(self.files(request.key), 0o755)
            if request.parent:
                subprocess.run(["cp", "-a", self.files(request.parent) + "/.", self.files(request.key)],
                               check=True, timeout=context.time_remaining())
            stamp = now()
            self.known[request.key] = pb.Info(name=request.key, parent=request.parent, kind=kind, created_at=stamp,
                                              updated_at=stamp, labels=request.labels)
            return self.mount(request.key)

    def Prepare(self, request, context):
        return pb.PrepareSnapshotResponse(mounts=self.make(pb.ACTIVE, request, context))

    def View(self, request, context):
        return pb.ViewSnapshotResponse(mounts=self.make(pb.VIEW, request, context))

    def Mounts(self, request, context):
        with self.lock:
            if self.get(request.key, context).kind == pb.COMMITTED:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, f'snapshot "{request.key}" is committed')
            return pb.MountsResponse(mounts=self.mount(request.key))

    def Commit(self, request, context):
        with self.lock:
            active = self.get(request.key, context)
            self.free(request.name, context)
            if active.kind != pb.ACTIVE:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, f'snapshot "{request.key}" is not active')
            if request.parent and request.parent != active.parent:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f'it was prepared on "{active.parent}"')
            stamp = now()
            self.known[request.name] = pb.Info(name=request.name, parent=active.parent, kind=pb.COMMITTED,
                                               created_at=stamp, updated_at=stamp, labels=request.labels)
            self.ids[request.name] = self.ids.pop(request.key)
            del self.known[request.key]
            return empty_pb2.Empty()

    def Remove(self, request, context):
        with self.lock:
            self.get(request.key, context)
            if any(other.parent == request.key for other in self.known.values()):
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, f'snapshot "{request.key}" has children')
            shutil.rmtree(self.files(request.key))
            del self.known[request.key], self.ids[request.key]
            return empty_pb2.Empty()

    def Stat(self, request, context):
        with self.lock:
            return pb.StatSnapshotResponse(info=self.get(request.key, context))

    def Update(self, request, context):
        with self.lock:
            info = pb.Info()
            info.CopyFrom(self.get(request.info.name, context))
            for path in request.update_mask.paths or ["labels"]:
                if path == "labels":
                    info.labels.clear()
                    info.labels.update(request.info.labels)
                elif path.startswith("labels."):
                    key = path[len("labels."):]
                    info.labels.pop(key, None)
                    if request.info.labels.get(key):
                        info.labels[key] = request.info.labels[key]
                else:
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{path} cannot be updated")
            info.updated_at.GetCurrentTime()
            self.known[info.name] = info
            return pb.UpdateSnapshotResponse(info=info)

    def List(self, request, context):
        with self.lock:
            infos = list(self.known.values())
        try:
            for text in request.filters:
                takes(text, pb.Info())  # a bad one is told also when there is nothing to filter
            chosen = [info for info in infos if not request.filters or any(takes(f, info) for f in request.filters)]
        except (ValueError, re.error) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"filter: {error}")
        for start in range(0, len(chosen), 100):
            yield pb.ListSnapshotsResponse(info=chosen[start:start + 100])

    def Usage(self, request, context):
        with self.lock:
            self.get(request.key, context)
            seen = {}
            for folder, _, names in os.walk(self.files(request.key)):
                for path in [folder] + [os.path.join(folder, name) for name in names]:
                    stat = os.lstat(path)
                    seen[stat.st_ino] = stat.st_blocks * 512
            return pb.UsageResponse(size=sum(seen.values()), inodes=len(seen))


address, root = sys.argv[1:]
os.makedirs(root, exist_ok=True)
os.umask(0o177)  # the socket is for this user alone
server = grpc.server(futures.ThreadPoolExecutor(16))
rpc.add_SnapshotsServicer_to_server(Snapshots(root), server)
checks = health.HealthServicer()
health_pb2_grpc.add_HealthServicer_to_server(checks, server)
server.add_insecure_port("unix://" + address)
server.start()
os.umask(0o022)
checks.set("", health_pb2.HealthCheckResponse.SERVING)
server.wait_for_termination()
