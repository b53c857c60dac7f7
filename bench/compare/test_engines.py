"""Tests of the engines and of the measuring, with engines that are not there."""

import argparse
import os
import sys
import tempfile
import unittest
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import compare
import engines
import trino
from procs import StartError
from statement import QueryError, QueryTimeout

# Stands in for the library: sleeps, fails, dies or answers as the text says.
FAKE_DUCKDB = """
import os, time
__version__ = "9.9"
class Connection:
    def execute(self, sql):
        if sql == "hang": time.sleep(60)
        if sql == "die": os._exit(3)
        if sql == "fail": raise ValueError("no such table")
        print("noise")  # must not reach the replies
        self.sql = sql
        return self
    def fetchall(self):
        return [(self.sql, 1)]
def connect(config): return Connection()
"""


class Fake:
    """An engine that gives the replies it was made with, then the last for ever."""

    def __init__(self, name, *replies):
        self.name, self.label, self.version, self.replies, self.calls = name, name, "1", list(replies), 0

    def run(self, sql, timeout):
        reply = self.replies[min(self.calls, len(self.replies) - 1)]
        self.calls += 1
        if isinstance(reply, Exception):
            raise reply
        return 0.5, reply

    def cpu(self):
        return 0.0

    def size(self, key="VmRSS"):
        return 1 << 20

    def reset_peak(self):
        pass


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.settings = argparse.Namespace(
            scratch=self.folder / "scratch", data=self.folder, schema="sf1", threads=2, port=19050, tutti=Path("/no/tutti"),
            versitygw=Path("/no/gw"), trino="", trino_java="", s3_python="/no/python", worker_memory="1GB",
            runs=2, warmup=1, settle=0, timeout=1)


class InProcess(Folder):
    def setUp(self):
        super().setUp()
        (self.folder / "duckdb.py").write_text(FAKE_DUCKDB)
        old = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = str(self.folder)
        self.addCleanup(lambda: os.environ.pop("PYTHONPATH") if old is None else os.environ.update(PYTHONPATH=old))
        self.engine = engines.InProcess("duckdb", "DuckDB", self.settings, "duckdb", sys.executable)
        self.addCleanup(self.engine.stop)

    def test_runs_and_recovers(self):
        self.engine.start()
        self.assertEqual(self.engine.version, "9.9")
        self.assertEqual(self.engine.run("one", 10)[1], [("one", 1)])
        for sql, error, words, timeout in (("fail", QueryError, "no such table", 10), ("die", QueryError, "ended", 10),
                                           ("hang", QueryTimeout, "too long", 0.3)):
            with self.subTest(sql):
                with self.assertRaisesRegex(error, words):
                    self.engine.run(sql, timeout)
                self.assertEqual(self.engine.run("again", 10)[1], [("again", 1)])
        self.assertEqual(len(self.engine.processes), 1)

    def test_a_library_that_does_not_load(self):
        (self.folder / "duckdb.py").write_text("raise ImportError('wrong wheel')")
        with self.assertRaisesRegex(StartError, "wrong wheel"):
            self.engine.start()

    def test_no_python(self):
        with self.assertRaisesRegex(StartError, "/no/python is not installed"):
            engines.InProcess("x", "X", self.settings, "duckdb", "/no/python").start()


class Building(Folder):
    def test_ports_do_not_collide(self):
        built, store = engines.build(list(engines.BUILDERS), self.settings)
        ports = [store.port]
        for e in built:
            if isinstance(e, engines.Server):
                ports += range(e.port, e.port + 2 + e.workers)
        self.assertEqual(len(ports), len(set(ports)))
        self.assertTrue(all(19050 <= p < 19150 for p in ports), ports)

    def test_a_store_only_where_it_is_needed(self):
        self.assertIsNone(engines.build(["duckdb", "tutti"], self.settings)[1])
        self.assertIsNotNone(engines.build(["tutti-s3"], self.settings)[1])

    def test_unknown_names(self):
        with self.assertRaisesRegex(SystemExit, "no engine presto; there are: duckdb"):
            engines.build(["presto"], self.settings)

    def test_what_is_not_installed_says_so(self):
        for name, words in (("tutti", "/no/tutti is not built"), ("trino", "Java 25"), ("duckdb-s3", "not installed")):
            with self.subTest(name), self.assertRaisesRegex(StartError, words):
                engines.build([name], self.settings)[0][0].start()

    def test_catalogs(self):
        plain, s3 = (engines.build([n], self.settings)[0][0] for n in ("tutti", "tutti-s3"))
        self.assertEqual(plain._catalog(), f"connector: lake\nwarehouse: {self.folder}\n")
        self.assertIn("warehouse: s3://tpch\n", s3._catalog())
        self.assertIn("endpoint: http://127.0.0.1:19050\n", s3._catalog())


class TrinoConfiguration(Folder):
    def test_roles(self):
        home = trino.Home("/opt/trino", "/opt/java", self.folder)
        cases = [("single", 0, ["coordinator=true", "node-scheduler.include-coordinator=true"]),
                 ("coordinator", 0, ["coordinator=true", "node-scheduler.include-coordinator=false"]),
                 ("worker", 2, ["coordinator=false", "http-server.http.port=8002", "discovery.uri=http://127.0.0.1:8000"])]
        for role, i, want in cases:
            with self.subTest(role):
                command = home.command(role, i, 8000, 1000)
                config = (home.node_folder(i) / "etc" / "config.properties").read_text().splitlines()
                self.assertLessEqual(set(want), set(config))
                self.assertIn("-Xmx1000M", command)
                self.assertIn("-Dnode.bind-ip=127.0.0.1", command)

    def test_tables_of_an_earlier_run_are_forgotten(self):
        home = trino.Home("/opt/trino", "/opt/java", self.folder)
        home.command("single", 0, 8000, 1000)
        (self.folder / "metastore" / "sf1").mkdir()
        home.forget_tables()
        home.command("single", 0, 8000, 1000)
        self.assertEqual(list((self.folder / "metastore").iterdir()), [])
        home.forget_tables()
        home.forget_tables()  # there is none

    def test_tables(self):
        statements = list(trino.setup_statements("/data", "sf0_1"))
        self.assertEqual(len(statements), 1 + 2 * 8)
        self.assertIn("external_location = 'local:///data/sf0_1/customer'", statements[1])
        self.assertEqual(statements[2], 'ANALYZE hive."sf0_1".customer')


class Measuring(Folder):
    def measure(self, *fakes, queries=("q06",)):
        c = compare.Comparison(list(fakes), self.settings)
        with redirect_stderr(StringIO()):
            c.measure({q: "SELECT" for q in queries})
        return c.results["q06"]

    def test_counts(self):
        a, b = Fake("a", [(1,)]), Fake("b", [(1,)])
        row = self.measure(a, b)
        self.assertEqual((a.calls, b.calls), (4, 4))  # cold, warm-up, two that count
        self.assertEqual((row["b"].times, row["b"].first, row["b"].peak), ([0.5, 0.5], 0.5, 1 << 20))
        self.assertTrue(row["a"].ok and row["b"].ok)

    def test_engines_take_turns(self):
        c = compare.Comparison([Fake("a"), Fake("b"), Fake("c")], self.settings)
        self.assertEqual(["".join(e.name for e in c._order(i)) for i in range(4)], ["abc", "bca", "cab", "abc"])

    def test_every_run_is_compared(self):
        row = self.measure(Fake("a", [(1,)]), Fake("b", [(1,)], [(1,)], [(1,)], [(2,)]))
        self.assertIn("(2)", row["b"].wrong)
        self.assertIsNone(row["a"].wrong)

    def test_the_reference_is_compared_with_itself(self):
        self.assertIn("(2)", self.measure(Fake("a", [(1,)], [(2,)]))["a"].wrong)

    def test_a_failure_ends_the_runs_of_that_query(self):
        a, b = Fake("a", QueryError("no memory\nat x.go")), Fake("b", [(1,)])
        row = self.measure(a, b)
        self.assertEqual((a.calls, row["a"].error), (1, "no memory"))
        self.assertTrue(row["b"].ok)  # the next engine's rows are the reference then

    def test_names_of_queries(self):
        for i in range(1, 23):
            (self.folder / f"q{i:02d}.sql").write_text(f"SELECT {i};\n")
        self.assertEqual(len(compare.load_queries(self.folder, "")), 22)
        self.assertEqual(compare.load_queries(self.folder, "6,q18"), {"q06": "SELECT 6", "q18": "SELECT 18"})

    def test_who_cannot_start_is_left_out(self):
        class Broken(Fake):
            stopped = False

            def start(self):
                raise StartError("port 1 is in use")

            def stop(self):
                self.stopped = True

        class Works(Fake):
            def start(self):
                pass

        broken, notes = Broken("trino"), []
        with redirect_stderr(StringIO()):
            up = compare.start_all([broken, Works("duckdb")], None, notes)
        self.assertEqual(([e.name for e in up], broken.stopped, notes), (["duckdb"], True, ["trino is left out: port 1 is in use"]))


if __name__ == "__main__":
    unittest.main()
