"""The engines of a comparison, each behind the same few calls:

    start()            brings it up, ready for queries; StartError says why not
    run(sql, timeout)  returns (seconds, rows); QueryError or QueryTimeout
    processes          what it consists of, to be measured and ended
    version            known after start()
    stop()

BUILDERS maps the names of ENGINES= to what makes them. To add an engine,
write a class and list it there.
"""

import json
import pickle
import select
import sys
import time
from pathlib import Path

import answers
import trino
from procs import Process, StartError, await_port, require_free
from statement import Client, QueryError, QueryTimeout

HERE = Path(__file__).resolve().parent
STORE_KEYS = {"access_key": "tutti", "secret_key": "tutti-bench-secret", "region": "us-east-1"}
BUCKET = "tpch"


class Engine:
    """What all engines have in common."""

    def __init__(self, name, label, settings):
        self.name, self.label, self.settings = name, label, settings
        self.folder = settings.scratch / name
        self.processes, self.version = [], ""

    def spawn(self, name, command, **more):
        p = Process(f"{self.name} {name}", command, self.folder / f"{name}.log", **more)
        self.processes.append(p)
        return p

    def stop(self):
        for p in reversed(self.processes):
            p.stop()

    def cpu(self):
        return sum(p.cpu() for p in self.processes)

    def size(self, key="VmRSS"):
        """Bytes of /proc's VmRSS or VmHWM, all processes together."""
        return sum(p.status(key) for p in self.processes)

    def reset_peak(self):
        for p in self.processes:
            p.reset_peak()


class InProcess(Engine):
    """DuckDB or DataFusion: a Python process that holds the library."""

    def __init__(self, name, label, settings, library, python, s3=None):
        super().__init__(name, label, settings)
        root = f"s3://{BUCKET}/{settings.schema}" if s3 else str(settings.data / settings.schema)
        self.options = {"engine": library, "root": root, "threads": settings.threads, "s3": s3}
        self.python = python

    def start(self):
        if not Path(self.python).exists():
            raise StartError(f"{self.python} is not installed")
        self._begin()

    def _begin(self):
        self.process = self.spawn("process", [self.python, HERE / "inproc.py", json.dumps(self.options)], stdio=True)
        status, self.version = self._receive(60)
        if status != "ok":
            raise StartError(self.version)

    def run(self, sql, timeout):
        try:
            pickle.dump(sql, self.process.popen.stdin)
            self.process.popen.stdin.flush()
            reply = self._receive(timeout)
        except (QueryTimeout, EOFError, OSError) as e:
            words = self.process.last_words()
            self.stop()
            self.processes.clear()
            self._begin()  # the next query finds a working engine
            raise e if isinstance(e, QueryTimeout) else QueryError(f"the process ended: {words}") from e
        if reply[0] != "ok":
            raise QueryError(reply[1])
        return reply[1], reply[2]

    def _receive(self, timeout):
        out = self.process.popen.stdout
        if not select.select([out], [], [], timeout)[0]:
            raise QueryTimeout("took too long; the process was ended")
        try:
            return pickle.load(out)
        except EOFError:
            raise StartError(self.process.last_words()) if not self.version else EOFError from None


class Server(Engine):
    """An engine that speaks the statement protocol on a port."""

    def __init__(self, name, label, settings, port):
        super().__init__(name, label, settings)
        self.port, self.client = port, None

    def connect(self, catalog, schema):
        self.client = Client(self.port, catalog, schema)

    def run(self, sql, timeout):
        start = time.perf_counter()
        try:
            types, rows = self.client.run(sql, timeout)
        except OSError as e:
            ended = [p for p in self.processes if not p.running()]
            raise QueryError("; ".join(p.last_words() for p in ended) or str(e)) from e
        return time.perf_counter() - start, answers.typed(types, rows)

    def stop(self):
        if self.client:
            self.client.close()
        super().stop()

    def await_answer(self, sql, want, patience):
        """Repeats a query until it answers as wanted."""
        deadline, last = time.monotonic() + patience, "no answer"
        while time.monotonic() < deadline:
            for p in self.processes:
                if not p.running():
                    raise StartError(p.last_words())
            try:
                last = self.client.run(sql, 30)[1]
                if last == want:
                    return
            except (QueryError, OSError) as e:
                last = e
            time.sleep(0.2)
        raise StartError(f"not ready after {patience} s: {last}")


class Tutti(Server):
    """`tutti server`, or a coordinator and workers of one thread each."""

    def __init__(self, name, label, settings, port, workers=0, s3=None):
        super().__init__(name, label, settings, port)
        self.workers, self.s3 = workers, s3

    def start(self):
        binary = self.settings.tutti
        if not binary.exists():
            raise StartError(f"{binary} is not built")
        catalogs = self.folder / "catalogs"
        catalogs.mkdir(parents=True, exist_ok=True)
        (catalogs / "lake.yaml").write_text(self._catalog())
        for port in range(self.port, self.port + 2 + self.workers):
            require_free(port)
        address = f"127.0.0.1:{self.port + 1}"
        common = [f"--http-listen=127.0.0.1:{self.port}", f"--grpc-listen={address}",
                  f"--data-dir={self.folder}/data-0", f"--catalog-dir={catalogs}"]
        if self.workers:
            first = self.spawn("coordinator", [binary, "coordinator", *common])
        else:
            first = self.spawn("server", [binary, "server", *common, f"--threads={self.settings.threads}"])
        await_port(first, self.port, 20)
        each = max(1, self.settings.threads // max(1, self.workers))
        for i in range(1, self.workers + 1):
            self.spawn(f"worker-{i}", [
                binary, "worker", f"--join={address}", f"--grpc-listen=127.0.0.1:{self.port + 1 + i}",
                f"--data-dir={self.folder}/data-{i}", f"--node-id=worker-{i}", f"--threads={each}",
                f"--memory-limit={self.settings.worker_memory}"])
        self.connect("lake", self.settings.schema)
        self.version = self.client.info()["nodeVersion"]["version"]
        if self.workers:
            self.await_answer("SELECT count(*) FROM system.runtime.nodes WHERE NOT coordinator AND state = 'active'",
                              [[self.workers]], 20)
        self.await_answer("SELECT count(*) FROM region", [[5]], 20)

    def _catalog(self):
        if not self.s3:
            return f"connector: lake\nwarehouse: {self.settings.data}\n"
        return (f"connector: lake\nwarehouse: s3://{BUCKET}\ns3:\n  endpoint: {self.s3['endpoint']}\n"
                f"  region: {self.s3['region']}\n  path-style: true\n"
                f"  access-key: {self.s3['access_key']}\n  secret-key: {self.s3['secret_key']}\n")


class Trino(Server):
    """A Trino server, or a coordinator and workers, with the hive connector
    and a metastore of files. Tables are analyzed: without, Trino plans badly."""

    def __init__(self, name, label, settings, port, workers=0):
        super().__init__(name, label, settings, port)
        self.workers = workers

    def start(self):
        home = trino.Home(self.settings.trino, self.settings.trino_java, self.folder)
        home.check()
        home.forget_tables()
        for port in range(self.port, self.port + 1 + self.workers):
            require_free(port)
        heap = trino.heaps(self.workers)
        for i in range(self.workers + 1):
            role = "single" if not self.workers else "worker" if i else "coordinator"
            self.spawn(f"{role}-{i}", home.command(role, i, self.port, heap[role]), cwd=home.node_folder(i))
        await_port(self.processes[0], self.port, trino.START_SECONDS)
        self.connect("hive", self.settings.schema)
        self.await_answer("SELECT count(*) FROM system.runtime.nodes WHERE state = 'active'", [[self.workers + 1]], trino.START_SECONDS)
        self.version = self.client.info()["nodeVersion"]["version"]
        for statement in trino.setup_statements(self.settings.data, self.settings.schema):
            self._prepare(statement)

    def _prepare(self, statement):
        """Right after its start Trino may not have workers for a query yet."""
        for _ in range(20):
            try:
                return self.client.run(statement, 600)
            except QueryError as e:
                if "nodes" not in str(e).lower():
                    raise StartError(f"{statement[:60]}…: {e}") from e
                time.sleep(1)
        raise StartError("no nodes are available for queries")


class Store:
    """An S3 server over the data folder: its bucket is a link to the folder,
    so that engines over S3 read the very files that the others read."""

    def __init__(self, settings, port):
        self.settings, self.port, self.process = settings, port, None
        self.access = {**STORE_KEYS, "endpoint": f"http://127.0.0.1:{port}"}

    def start(self):
        folder = self.settings.scratch / "store"
        for name in ("buckets", "meta"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        link = folder / "buckets" / BUCKET
        if link.is_symlink():
            link.unlink()
        link.symlink_to(self.settings.data.resolve())
        require_free(self.port)
        if not self.settings.versitygw.exists():
            raise StartError(f"{self.settings.versitygw} is not installed")
        self.process = Process(
            "S3 store", [self.settings.versitygw, "--port", f"127.0.0.1:{self.port}", "--quiet", "--keep-alive", "posix",
                         "--sidecar", folder / "meta", "--bucketlinks", "--default-etag", "bench", folder / "buckets"],
            folder / "store.log",
            env={"ROOT_ACCESS_KEY": STORE_KEYS["access_key"], "ROOT_SECRET_KEY": STORE_KEYS["secret_key"]})
        await_port(self.process, self.port, 20)

    def stop(self):
        if self.process:
            self.process.stop()


def _duckdb(s, port, store):
    return InProcess("duckdb", "DuckDB", s, "duckdb", sys.executable)


def _datafusion(s, port, store):
    return InProcess("datafusion", "DataFusion", s, "datafusion", sys.executable)


BUILDERS = {
    "duckdb": _duckdb,
    "datafusion": _datafusion,
    "tutti": lambda s, port, store: Tutti("tutti", "Tutti", s, port),
    "tutti-cluster": lambda s, port, store: Tutti("tutti-cluster", "Tutti 1+2", s, port, workers=2),
    "trino": lambda s, port, store: Trino("trino", "Trino", s, port),
    "trino-cluster": lambda s, port, store: Trino("trino-cluster", "Trino 1+2", s, port, workers=2),
    "tutti-s3": lambda s, port, store: Tutti("tutti-s3", "Tutti 1+2, S3", s, port, workers=2, s3=store.access),
    "duckdb-s3": lambda s, port, store: InProcess("duckdb-s3", "DuckDB, S3", s, "duckdb", s.s3_python, s3=store.access),
    "datafusion-s3": lambda s, port, store: InProcess(
        "datafusion-s3", "DataFusion, S3", s, "datafusion", sys.executable, s3=store.access),
}


def needs_store(names):
    return any(n.endswith("-s3") for n in names)


def build(names, settings):
    """The engines named, each with ports of its own, and the store or None."""
    unknown = [n for n in names if n not in BUILDERS]
    if unknown:
        raise SystemExit(f"no engine {', '.join(unknown)}; there are: {' '.join(BUILDERS)}")
    store = Store(settings, settings.port) if needs_store(names) else None
    order = list(BUILDERS)
    return [BUILDERS[n](settings, settings.port + 10 * (1 + order.index(n)), store) for n in names], store
