"""How Trino is configured for the comparison.

Unpacked server and Java come from test/ref/install.sh. Settings are Trino's
defaults but for the heap, the query memory and the local file system. Catalog
`hive` reads the Parquet files in place as external tables.
"""

import shutil
from pathlib import Path

import machine
from procs import StartError

_COLUMNS = {
    "customer": "c_custkey bigint, c_name varchar, c_address varchar, c_nationkey bigint, c_phone varchar,"
                " c_acctbal decimal(15,2), c_mktsegment varchar, c_comment varchar",
    "lineitem": "l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber integer, l_quantity decimal(15,2),"
                " l_extendedprice decimal(15,2), l_discount decimal(15,2), l_tax decimal(15,2), l_returnflag varchar,"
                " l_linestatus varchar, l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct varchar,"
                " l_shipmode varchar, l_comment varchar",
    "nation": "n_nationkey bigint, n_name varchar, n_regionkey bigint, n_comment varchar",
    "orders": "o_orderkey bigint, o_custkey bigint, o_orderstatus varchar, o_totalprice decimal(15,2), o_orderdate date,"
              " o_orderpriority varchar, o_clerk varchar, o_shippriority integer, o_comment varchar",
    "part": "p_partkey bigint, p_name varchar, p_mfgr varchar, p_brand varchar, p_type varchar, p_size integer,"
            " p_container varchar, p_retailprice decimal(15,2), p_comment varchar",
    "partsupp": "ps_partkey bigint, ps_suppkey bigint, ps_availqty integer, ps_supplycost decimal(15,2), ps_comment varchar",
    "region": "r_regionkey bigint, r_name varchar, r_comment varchar",
    "supplier": "s_suppkey bigint, s_name varchar, s_address varchar, s_nationkey bigint, s_phone varchar,"
                " s_acctbal decimal(15,2), s_comment varchar",
}  # fmt: skip

_JVM = """-XX:+UseG1GC -XX:+ExitOnOutOfMemoryError -XX:ReservedCodeCacheSize=256M -XX:-OmitStackTraceInFastThrow
 -XX:PerMethodRecompilationCutoff=10000 -XX:PerBytecodeRecompilationCutoff=10000 -Djdk.attach.allowAttachSelf=true
 -XX:+EnableDynamicAgentLoading -Dfile.encoding=UTF-8 -Duser.timezone=UTC --enable-native-access=ALL-UNNAMED
 --sun-misc-unsafe-memory-access=allow""".split()


# Three JVMs that start together on two busy cores take minutes.
START_SECONDS = 300


def heaps(workers):
    """Heap of each role in MiB. A coordinator that runs no tasks needs little;
    the rest is generous as far as all engines must fit the machine at once."""
    mib = machine.memory() >> 20
    if workers:
        return {"coordinator": min(3072, mib // 10), "worker": min(5120, mib // 7)}
    return {"single": min(12288, mib // 4)}


def setup_statements(data, schema):
    """Statements that make the tables known and gather their statistics."""
    yield f'CREATE SCHEMA IF NOT EXISTS hive."{schema}"'
    for table, columns in _COLUMNS.items():
        yield (f'CREATE TABLE IF NOT EXISTS hive."{schema}".{table} ({columns})'
               f" WITH (format = 'PARQUET', external_location = 'local://{Path(data).resolve()}/{schema}/{table}')")
        yield f'ANALYZE hive."{schema}".{table}'


class Home:
    """A Trino installation and the folder where its nodes keep their things."""

    def __init__(self, server, java, folder):
        self.server, self.java, self.folder = Path(server), java, Path(folder)

    def check(self):
        if not self.java or not Path(self.java).exists():
            raise StartError("Trino needs a Java 25 runtime, which could not be installed")
        if not (self.server / "lib").is_dir() or not (self.server / "plugin" / "hive").is_dir():
            raise StartError("the Trino server with its hive plugin could not be installed")

    def forget_tables(self):
        """Removes the metastore of an earlier run: its tables may lie elsewhere."""
        shutil.rmtree(self._metastore(), ignore_errors=True)

    def _metastore(self):
        return (self.folder / "metastore").resolve()

    def node_folder(self, i):
        return self.folder / f"node-{i}"

    def command(self, role, i, port, heap):
        """Writes the configuration of node i; returns the command that runs it."""
        etc, data = self.node_folder(i) / "etc", self.node_folder(i) / "data"
        (etc / "catalog").mkdir(parents=True, exist_ok=True)
        data.mkdir(exist_ok=True)
        metastore = self._metastore()
        metastore.mkdir(parents=True, exist_ok=True)
        query = heap * 6 // 10
        config = [
            f"coordinator={'false' if role == 'worker' else 'true'}",
            f"http-server.http.port={port + i}",
            f"discovery.uri=http://127.0.0.1:{port}",
            "query.max-memory=8GB",
            f"query.max-memory-per-node={query}MB",
            f"memory.heap-headroom-per-node={heap * 2 // 10}MB",
            "catalog.management=static",
        ]
        if role != "worker":
            config.append(f"node-scheduler.include-coordinator={'true' if role == 'single' else 'false'}")
        (etc / "config.properties").write_text("\n".join(config) + "\n")
        (etc / "log.properties").write_text("io.trino=WARN\n")
        (etc / "catalog" / "hive.properties").write_text("\n".join([
            "connector.name=hive", "hive.metastore=file", f"hive.metastore.catalog.dir=local://{metastore}",
            "fs.native-local.enabled=true", "local.location=/", "hive.storage-format=PARQUET"]) + "\n")
        node = {"node.environment": "bench", "node.id": f"bench-{i}", "node.bind-ip": "127.0.0.1",
                "node.internal-address": "127.0.0.1", "node.data-dir": data, "log.levels-file": etc / "log.properties",
                "config": etc / "config.properties", "catalog.config-dir": etc / "catalog",
                "plugin.dir": self.server / "plugin"}
        return [self.java, f"-Xmx{heap}M", *_JVM, *(f"-D{k}={v}" for k, v in node.items()),
                "-cp", f"{self.server}/lib/*", "io.trino.server.TrinoServer"]
